//! The methods of MCP 2026-07-28, which has no sessions, independent of the transport.

use std::sync::Arc;

use super::answer::{Asker, Later};
use super::client::Client;
use super::mcp_server::{Mcp, no_method, unless_cancelled};
use super::outbox::Outbox;
use super::tools::{self, Called};
use crate::mcp::{
    CallParams, Complete, DiscoverResult, ListenParams, Notification, Request, RequestMeta, Response,
    RpcError, Subscribed, SubscriptionEnd, SubscriptionMeta,
};

/// How one request is answered.
pub(super) enum Stateless {
    /// By a response at once.
    Now(Response),
    /// By a response later.
    Later(Later<Response>),
    /// By a stream of notifications.
    Subscription {
        /// Its first message.
        acknowledgement: Vec<u8>,
        /// Its last message, if it is the node that ends the stream.
        end: Vec<u8>,
    },
}

impl Asker {
    /// The sender of one request with this metadata. It is a client of its own.
    pub(super) fn of_request(meta: &RequestMeta<'_>) -> Asker {
        match meta.log_level {
            Some(level) => {
                let client = Arc::<Client>::default();
                client.set_level(level);
                Asker::alone(client)
            }
            None => Asker {
                client: Client::passing(),
                aside: Arc::<Outbox>::default(),
            },
        }
    }
}

impl Mcp {
    /// The answer to `request` of `asker`, whose metadata was checked.
    pub(super) fn answer_stateless(&self, request: Request<'_>, asker: &Asker) -> Stateless {
        let id = request.id.clone();
        self.try_answer_stateless(request, asker)
            .unwrap_or_else(|error| Stateless::Now(Response::error(id, error)))
    }

    // Private

    fn try_answer_stateless(&self, request: Request<'_>, asker: &Asker) -> Result<Stateless, RpcError> {
        let Request { id, method, params } = request;
        let info = self.info();
        Ok(match method.as_str() {
            "server/discover" => {
                let result = DiscoverResult::new();
                let result = Complete::new(&result, info).cacheable();
                Stateless::Now(Response::success(id, &result))
            }
            "tools/list" => {
                let result = Complete::new(self.tools(), info).cacheable();
                Stateless::Now(Response::success(id, &result))
            }
            "tools/call" => match tools::call(&params.read::<CallParams<'_>>()?, self.name(), asker)? {
                Called::Done(result) => Stateless::Now(Response::success(id, &Complete::new(&result, info))),
                Called::Later(result) => {
                    let running = asker.client.begin(id.clone());
                    let name = self.name().to_owned();
                    let respond = move |id, result| {
                        let result = Complete::new(&result, Mcp::info_of(&name));
                        Response::success(id, &result)
                    };
                    Stateless::Later(Box::pin(unless_cancelled(running, id, result, respond)))
                }
            },
            "subscriptions/listen" => {
                ListenParams::check(params)?;
                let acknowledgement = Notification::Acknowledged {
                    meta: SubscriptionMeta { subscription: &id },
                    notifications: Subscribed::default(),
                };
                let end = Complete::new(&SubscriptionEnd {}, info).of_subscription(&id);
                Stateless::Subscription {
                    acknowledgement: acknowledgement.to_json(),
                    end: Response::success(id.clone(), &end).to_json(),
                }
            }
            unknown => return Err(no_method(unknown)),
        })
    }
}
