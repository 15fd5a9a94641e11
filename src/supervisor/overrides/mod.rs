//! Changes that others make at the balancer: its servers, frontends, socket and files are compared,
//! twice a second, with the settings of this supervisor.
//!
//! ```text
//!  inspect ──▶ the runtime API of each instance, the files ──▶ findings ──▶ sightings ──▶ states, warnings, alerts
//!                                                                  └──────▶ pending orders: are they in force?
//! ```
//!
//! Findings do not count while an order, a start or a reload is in progress, and when the inspection
//! began before the order was accepted: a difference is then expected.

mod files;
mod sightings;
mod text;

pub(super) use text::listed;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::sightings::Sightings;
pub(super) use self::text::Overridden;
use super::balancer_link::config_files::orders;
use super::balancer_link::runtime_sync::{self, DesiredStates, NodeHealth};
use super::core::Core;
use super::event::CoreEvent;
use super::process::readiness::{self, Readiness};
use super::spec::Spec;
use super::waves::ChildId;
use crate::balancer::{self, ConfigFile, Expected, Inspection, Override};
use crate::haproxy_api::{RuntimeError, Socket};
use crate::platform::Identity;
use crate::platform::ports::has_any;
use crate::platform::worker::suspended;
use crate::profile::NodeId;

/// Time between two inspections.
const INTERVAL: Duration = Duration::from_millis(500);
/// Time between two inspections while an order waits for one.
const SHORT_INTERVAL: Duration = Duration::from_millis(50);
/// Time for an instance to answer; after it, the state of the instance is unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A difference at a balancer instance that this supervisor did not cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Finding {
    /// The setting of a node in one of its backends.
    Server(Override),
    /// A frontend that accepts no connections.
    ClosedFrontend(String),
    /// The process runs and serves, but its runtime API cannot be reached.
    Unreachable(PathBuf),
    /// The process runs and accepts no connections any more: it got a stop signal from outside, and
    /// ends with its last connection.
    Leaving,
    /// A configuration file was edited after this supervisor wrote it.
    Edited {
        /// The file's name.
        file: String,
        /// Whether the running balancer has read the edited file; `None` when that is not known.
        in_force: Option<bool>,
    },
    /// A process of the balancer is suspended, while its other processes serve.
    Suspended {
        /// Its pid.
        pid: u32,
        /// Whether it is the master, which has no clients and carries out orders.
        is_master: bool,
    },
}

/// A finding that counts, in the state file: a supervisor that adopts the balancer uses it until
/// its own inspection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedOverride {
    pub(super) instance: usize,
    pub(super) finding: Finding,
}

/// The result of an inspection of an instance.
#[derive(Debug)]
pub(super) enum Observation {
    /// Its runtime API answered; its files were checked, too.
    Api {
        inspection: Inspection,
        edited: BTreeSet<Finding>,
    },
    /// It has no runtime API; its files show what it does.
    Files(BTreeSet<Finding>),
    /// No process listens on its socket.
    Unreachable(PathBuf),
    /// No process listens on its socket, or for clients.
    Leaving,
    /// It did not answer in time.
    Unknown,
}

/// The findings at each balancer instance.
pub(super) struct Overrides {
    sightings: Sightings<ChildId, Finding>,
    /// The findings of the last inspection of each instance, and when that inspection began.
    reports: BTreeMap<ChildId, (Instant, BTreeSet<Finding>)>,
    /// Instances that are being inspected.
    under_way: BTreeSet<ChildId>,
    asked: Instant,
    next: Instant,
}

impl Overrides {
    /// Nothing is known yet.
    pub(super) fn new(now: Instant) -> Overrides {
        Overrides {
            sightings: Sightings::new(),
            reports: BTreeMap::new(),
            under_way: BTreeSet::new(),
            asked: now,
            next: now,
        }
    }

    /// The findings that count, for the state file.
    pub(super) fn to_save(&self) -> Vec<SavedOverride> {
        let remembered = self.confirmed().filter_map(|(id, finding)| match id {
            ChildId::Balancer(instance) => Some(SavedOverride {
                instance,
                finding: finding.clone(),
            }),
            ChildId::Node(_) | ChildId::Retired(..) => None,
        });
        remembered.collect()
    }

    /// Findings that counted for the previous supervisor count until an inspection does not find
    /// them.
    pub(super) fn restore<'a>(&mut self, remembered: impl IntoIterator<Item = &'a SavedOverride>) {
        for SavedOverride { instance, finding } in remembered {
            self.sightings
                .restore(ChildId::Balancer(*instance), finding.clone());
        }
    }

    /// When the next inspection is due.
    pub(super) fn wakes_at(&self) -> Instant {
        self.next
    }

    /// The instance is gone, or another process takes its place.
    pub(super) fn forget(&mut self, id: ChildId) {
        self.sightings.forget(id);
        self.reports.remove(&id);
    }

    /// The node is gone: findings about it do not count any more.
    pub(super) fn forget_node(&mut self, node: &str) {
        let is_about_it = |finding: &Finding| matches!(finding, Finding::Server(found) if found.node == node);
        self.sightings.forget_findings(is_about_it);
        for (_, found) in self.reports.values_mut() {
            found.retain(|finding| !is_about_it(finding));
        }
    }

    /// The findings that count, with their instance.
    pub(super) fn confirmed(&self) -> impl Iterator<Item = (ChildId, &Finding)> {
        self.sightings.confirmed()
    }

    /// The names of files that were edited, by the last inspection.
    pub(super) fn edited_files(&self) -> impl Iterator<Item = &str> {
        let found = self.reports.values().flat_map(|(_, found)| found);
        found.filter_map(|finding| match finding {
            Finding::Edited { file, .. } => Some(file.as_str()),
            _ => None,
        })
    }

    // Private

    /// The findings about the node that count.
    fn of_node<'a>(&'a self, node: &'a str) -> impl Iterator<Item = (ChildId, &'a Override)> {
        self.confirmed().filter_map(move |(id, finding)| match finding {
            Finding::Server(found) if found.node == node => Some((id, found)),
            _ => None,
        })
    }
}

impl Core {
    /// Inspects every balancer instance when that is due.
    pub(super) fn inspect(&mut self, now: Instant) {
        if now < self.overrides.next {
            return;
        }
        self.overrides.asked = now;
        self.overrides.next = now + INTERVAL;
        self.link.update_out_of_sync(now);
        let instances: Vec<ChildId> = self.link.connected().collect();
        for id in instances {
            let Some(inspector) = self.inspector(id) else {
                continue;
            };
            if self.overrides.under_way.insert(id) {
                self.events.spawn(async move {
                    let observation = inspector.inspect().await;
                    CoreEvent::Inspected {
                        id,
                        asked: now,
                        observation,
                    }
                });
            }
        }
    }

    /// An inspection has ended.
    pub(super) fn inspected(&mut self, id: ChildId, asked: Instant, observation: Observation, now: Instant) {
        self.overrides.under_way.remove(&id);
        // A comparison needs the settings that were sent to the instance.
        let mut nodes = self.spec.cluster.nodes.iter();
        let has_accepted_all = self
            .link
            .accepted(id)
            .is_some_and(|accepted| nodes.all(|node| accepted.contains_key(&node.name)));
        if !has_accepted_all {
            return;
        }
        let mut found = match observation {
            Observation::Unknown => return,
            Observation::Files(edited) => edited,
            Observation::Leaving => BTreeSet::from([Finding::Leaving]),
            Observation::Unreachable(socket) => BTreeSet::from([Finding::Unreachable(socket)]),
            Observation::Api { inspection, edited } => {
                let mut found = self.compared(id, &inspection);
                found.extend(edited);
                found
            }
        };
        // A node may have left the cluster while the instance was inspected.
        found.retain(|finding| match finding {
            Finding::Server(found) => self.spec.cluster.node(&found.node).is_some(),
            _ => true,
        });
        // What an earlier inspection saw may be the state before the last order.
        if self.is_settled(id) && self.link.is_unchanged_since(id, asked) {
            self.overrides.sightings.saw(id, &found, now);
        } else {
            self.overrides.sightings.missed(id, &found);
        }
        self.overrides.reports.insert(id, (asked, found));
        self.replace_leaving(now);
    }

    /// The settings that contradict an order about the node, which the balancer received by
    /// `since`; `None` until every instance was inspected after that.
    pub(super) fn objections(
        &mut self,
        node: &str,
        since: Instant,
        now: Instant,
    ) -> Option<Vec<(ChildId, Override)>> {
        let is_drained = self.drains.has(node);
        let mut objections = Vec::new();
        let instances = self.link.connected().filter(|id| !self.is_left_out(*id));
        let instances: Vec<ChildId> = instances.collect();
        for id in instances {
            let report = self.overrides.reports.get(&id);
            let Some((_, found)) = report.filter(|(asked, _)| *asked >= since) else {
                self.overrides.next = now.max(self.overrides.asked + SHORT_INTERVAL);
                return None;
            };
            objections.extend(found.iter().filter_map(|finding| match finding {
                Finding::Server(found) if found.node == node && found.setting.takes_out() != is_drained => {
                    Some((id, found.clone()))
                }
                _ => None,
            }));
        }
        if !objections.is_empty() {
            self.overrides.next = now.max(self.overrides.asked + SHORT_INTERVAL);
        }
        Some(objections)
    }

    /// Whether every balancer instance was inspected, as it is now, after `since`.
    pub(super) fn is_inspected_since(&mut self, since: Instant, now: Instant) -> bool {
        let is_inspected = self.children.balancers().all(|(instance, _)| {
            let id = ChildId::Balancer(instance);
            let report = self.overrides.reports.get(&id);
            self.is_left_out(id) || report.is_some_and(|(asked, _)| *asked >= since)
        });
        if !is_inspected {
            self.overrides.next = now.max(self.overrides.asked + SHORT_INTERVAL);
        }
        is_inspected
    }

    /// Whether others keep new connections from the node.
    pub(super) fn is_taken_out(&self, node: NodeId) -> bool {
        let name = self.spec.node_name(node);
        self.overrides
            .of_node(name)
            .any(|(_, found)| found.setting.takes_out())
    }

    /// Whether a finding exists that a reload repairs although the profile is the same: an edited
    /// file, or a missing runtime API, frontend or server.
    pub(super) fn needs_rewrite(&self) -> bool {
        self.overrides.confirmed().any(|(_, finding)| match finding {
            Finding::Edited { .. } | Finding::Unreachable(_) | Finding::ClosedFrontend(_) => true,
            Finding::Server(found) => found.setting == balancer::Setting::Deleted,
            Finding::Leaving | Finding::Suspended { .. } => false,
        })
    }

    /// Whether the instance runs and its runtime API is gone.
    pub(super) fn is_unreachable(&self, instance: usize) -> bool {
        let mut found = self.overrides.confirmed();
        found.any(|(id, finding)| {
            id == ChildId::Balancer(instance) && matches!(finding, Finding::Unreachable(_))
        })
    }

    // Private

    /// What an inspection of the instance needs.
    fn inspector(&self, id: ChildId) -> Option<Inspector> {
        let ChildId::Balancer(instance) = id else {
            return None;
        };
        let accepted = self.link.accepted(id).cloned().unwrap_or_default();
        Some(Inspector {
            spec: self.spec.clone(),
            socket: self.spec.socket(instance),
            readiness: self.spec.readiness(instance),
            listeners: self.listeners.inodes(),
            master: self.children.process(id),
            // All instances have the same files.
            files: if instance == 0 {
                self.files.clone()
            } else {
                Vec::new()
            },
            accepted,
            announced: self.is_stop_announced(),
        })
    }

    /// The differences between the instance's state and the settings that were sent to it.
    fn compared(&self, id: ChildId, inspection: &Inspection) -> BTreeSet<Finding> {
        let orders = self.spec.balancer.orders(&self.spec.cluster, &self.spec.run_dir);
        let accepted = self.link.accepted(id).into_iter().flatten();
        let servers = accepted.flat_map(|(node, state)| {
            let expected = Expected {
                drained: state.drained,
                up: state.health == NodeHealth::Up,
            };
            orders.overrides(inspection, node, expected)
        });
        let closed = inspection.closed_frontends(self.spec.frontends());
        let servers = servers.map(Finding::Server);
        servers
            .chain(closed.into_iter().map(Finding::ClosedFrontend))
            .collect()
    }

    /// Whether the instance received all settings, and nothing in progress changes it.
    fn is_settled(&self, id: ChildId) -> bool {
        self.shutdown.is_none()
            && self.waves.outcome.is_some()
            && !self.reloads.any()
            && !self.link.has_pending_replies()
            && self.link.is_in_sync(id)
    }
}

/// What an inspection needs.
struct Inspector {
    spec: std::sync::Arc<Spec>,
    /// Its runtime API, if it has one.
    socket: Option<PathBuf>,
    /// The socket that shows that the instance serves.
    readiness: Readiness,
    /// The inodes of the cluster's listeners; empty when they are only the process's.
    listeners: BTreeSet<u64>,
    master: Option<Identity>,
    /// The files that the balancer reads.
    files: Vec<ConfigFile>,
    accepted: DesiredStates,
    /// Whether the end of the cluster is announced.
    announced: bool,
}

impl Inspector {
    async fn inspect(self) -> Observation {
        let Some(path) = self.socket.clone() else {
            return match self.readiness.is_unreachable().await {
                Some(_) if self.is_leaving(false).await => Observation::Leaving,
                _ => Observation::Files(self.edited().await),
            };
        };
        let socket = Socket::new(&path);
        let read = tokio::time::timeout(ANSWER_TIMEOUT, Inspection::read(&socket)).await;
        match read {
            Ok(Ok(inspection)) => Observation::Api {
                inspection,
                edited: self.edited().await,
            },
            // With any other error the process does listen: a hung process, for one, has a full
            // queue.
            Ok(Err(RuntimeError::NotRunning { source, .. })) if readiness::is_absent(&source) => {
                // A process that ends leaves its socket file; a socket that was removed has no
                // file.
                let is_left = source.kind() == io::ErrorKind::ConnectionRefused;
                if self.is_leaving(is_left).await {
                    Observation::Leaving
                } else {
                    Observation::Unreachable(path)
                }
            }
            Ok(Err(_)) | Err(_) => Observation::Unknown,
        }
    }

    /// Whether the process has closed its listeners. Where they are only its own, `is_left`, whether
    /// the socket file is still there, decides.
    async fn is_leaving(&self, is_left: bool) -> bool {
        let Some(process) = self.master.filter(|_| !self.listeners.is_empty()) else {
            return is_left;
        };
        let listeners = self.listeners.clone();
        let has_any = tokio::task::spawn_blocking(move || has_any(process.pid, &listeners)).await;
        matches!(has_any, Ok(false))
    }

    /// Files that were edited, and, for a balancer that reads its orders from files, suspended
    /// processes.
    async fn edited(self) -> BTreeSet<Finding> {
        let snapshot = move || {
            let goes_by_files = self.socket.is_none();
            let Ok(ordered) = orders(&self.spec, &runtime_sync::away(&self.accepted, self.announced)) else {
                return BTreeSet::new();
            };
            // The file with the orders for a balancer with a runtime API has other writers, too: a
            // reload writes server states to it.
            let is_ordered = |file: &&ConfigFile| ordered.iter().any(|it| it.path == file.path);
            let mut files: Vec<ConfigFile> = self
                .files
                .iter()
                .filter(|file| !is_ordered(file))
                .cloned()
                .collect();
            if goes_by_files {
                files.extend(ordered);
            }
            let master = self.master.filter(|_| goes_by_files);
            let mut findings = files::edited(&files, master, &self.spec.cluster);
            if let Some(master) = master {
                findings.extend(suspended(master).into_iter().map(|pid| Finding::Suspended {
                    pid,
                    is_master: pid == master.pid,
                }));
            }
            findings
        };
        tokio::task::spawn_blocking(snapshot).await.unwrap_or_default()
    }
}
