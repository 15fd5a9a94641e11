//! The runtime API, through its socket: for any input the conversation ends, and orders name
//! existing servers, frontends and tables only.

#![no_main]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use clusterctl::haproxy_api::server::{
    ApiListener, BackendFigures, CheckFigures, FrontendFigures, Level, Order, ProcessFigures, Proxies,
    Refusal, ServerFigures, ServerRef, SessionFigures, Subject, TableEntry, TableFigures, Traffic, serve,
};
use clusterctl::profile::Algorithm;
use futures_util::future::{BoxFuture, FutureExt};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// Much longer than an answer takes.
const CONVERSATION_TIMEOUT: Duration = Duration::from_secs(10);

static HOUSE: LazyLock<House> = LazyLock::new(House::open);

fuzz_target!(|typed: &[u8]| HOUSE.runtime.block_on(HOUSE.converse(typed)));

/// A socket with a server.
struct House {
    runtime: Runtime,
    path: PathBuf,
}

impl House {
    fn open() -> House {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        // The directory stays behind with its one socket: a fuzzer has no end at which it could be
        // removed.
        let path = tempfile::tempdir().unwrap().keep().join("runtime.sock");
        let listener = ApiListener::open(&path).unwrap();
        let shutdown = CancellationToken::new();
        runtime.spawn(serve(listener, Arc::new(Fake), Level::Admin, shutdown));
        House { runtime, path }
    }

    async fn converse(&self, typed: &[u8]) {
        let conversation = async {
            let mut stream = UnixStream::connect(&self.path).await.unwrap();
            let (mut from, mut to) = stream.split();
            let typing = async {
                // The server may close the connection before everything is written.
                let _enough = to.write_all(typed).await;
                let _over = to.shutdown().await;
            };
            let mut answer = Vec::new();
            let reading = from.read_to_end(&mut answer);
            let (_, read) = tokio::join!(typing, reading);
            if read.is_ok() && !answer.is_empty() {
                let text = String::from_utf8(answer).expect("text");
                assert!(text.ends_with('\n') || text.ends_with("\n> "), "{text:?}");
            }
        };
        tokio::time::timeout(CONVERSATION_TIMEOUT, conversation)
            .await
            .expect("an end of the conversation");
    }
}

/// Two servers, a client, a table.
struct Fake;

impl Subject for Fake {
    fn process(&self) -> ProcessFigures {
        ProcessFigures::default()
    }

    fn proxies(&self) -> Proxies {
        let server = |id| ServerFigures {
            name: format!("s{id}"),
            id,
            address: Some(([127, 0, 0, 1], 9).into()),
            initial_weight: 100,
            user_weight: 100,
            weight: 100,
            check: Some(CheckFigures::default()),
            ..ServerFigures::default()
        };
        Proxies {
            frontends: vec![FrontendFigures {
                name: "f".to_owned(),
                id: 2,
                backend: "b".to_owned(),
                ..FrontendFigures::default()
            }],
            backends: vec![BackendFigures {
                cookie: None,
                name: "b".to_owned(),
                id: 3,
                algorithm: Algorithm::Roundrobin,
                traffic: Traffic::default(),
                sessions_limit: 0,
                last_change: 0,
                downtime: 0,
                times_down: 0,
                servers: vec![server(1), server(2)],
            }],
        }
    }

    fn tables(&self) -> Vec<TableFigures> {
        vec![TableFigures {
            name: "b".to_owned(),
            size: 10,
            used: 1,
        }]
    }

    fn entries(&self, table: &str) -> Option<Vec<TableEntry>> {
        let entry = TableEntry {
            key: "::ffff:127.0.0.1".to_owned(),
            uses: 0,
            expires: 1,
            data: vec![("server_id".to_owned(), 1)],
        };
        (table == "b").then(|| vec![entry])
    }

    fn sessions(self: Arc<Self>) -> BoxFuture<'static, Vec<SessionFigures>> {
        let session = SessionFigures {
            id: 7,
            client: ([127, 0, 0, 1], 7).into(),
            frontend: "f".to_owned(),
            backend: Some("b".to_owned()),
            http: None,
            server: None,
            source: None,
            age: Duration::ZERO,
            idle: Duration::ZERO,
            bytes_in: 0,
            bytes_out: 0,
        };
        async { vec![session] }.boxed()
    }

    fn order(self: Arc<Self>, order: Order) -> BoxFuture<'static, Result<(), Refusal>> {
        match &order {
            Order::State(server, _)
            | Order::Health(server, _)
            | Order::Address(server, _)
            | Order::ServerMaxconn(server, _)
            | Order::Checks(server, _)
            | Order::ShutdownSessions(server) => assert!(is_there(server), "{order:?}"),
            Order::Weight(server, weight) => assert!(is_there(server) && *weight <= 256, "{order:?}"),
            Order::FrontendMaxconn(frontend, _)
            | Order::EnableFrontend(frontend)
            | Order::DisableFrontend(frontend)
            | Order::ShutdownFrontend(frontend) => assert_eq!(frontend, "f"),
            Order::ClearTable { table, keys } => {
                assert!(table == "b" && keys.iter().all(|key| key == "::ffff:127.0.0.1"));
            }
            Order::GlobalMaxconn(_)
            | Order::ShutdownSession(_)
            | Order::ClearCounters { .. }
            | Order::AddServer(..)
            | Order::DeleteServer(_)
            | Order::Reload => {}
        }
        async { Ok(()) }.boxed()
    }
}

fn is_there(server: &ServerRef) -> bool {
    server.backend == "b" && ["s1", "s2"].contains(&server.server.as_str())
}
