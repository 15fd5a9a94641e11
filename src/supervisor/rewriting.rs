//! Tells a balancer without runtime API what it has to know of each node: by its files, and new workers that read them.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::news::News;
use super::setting::Setting;
use super::turnover::{is_in_force, turn_over};
use super::voice::{AGAIN, Listener, Opinion};
use super::writing::{is_written, orders, write_orders};
use crate::balancer::Away;
use crate::platform::Identity;

/// Between two changes at least: every one leaves workers behind that end with their last connection.
const SPACING: Duration = Duration::from_millis(300);

/// Keeps the instance that is `master` at our opinion of each node. Ends when nobody has an opinion any more.
pub(super) async fn tell(master: Identity, signal: Signal, listener: Listener) {
    let Listener {
        who,
        setting,
        mut opinion,
        news,
    } = listener;
    let mut told = Opinion::new();
    // Said once, not with every attempt.
    let mut failing: Option<String> = None;
    loop {
        let wanted = opinion.borrow_and_update().clone();
        let begun = Instant::now();
        if let Err(why) = put_in_force(master, signal, &setting, &away(&wanted)).await {
            if failing.as_ref() != Some(&why) {
                tracing::warn!("the balancer was not told: {why}");
                failing = Some(why);
            }
            sleep(AGAIN).await;
            continue;
        }
        failing = None;
        for (node, view) in wanted {
            if told.get(&node) != Some(&view) {
                let _nobody_listens_after_the_end = news
                    .send(News::Told {
                        who,
                        node: node.clone(),
                        view,
                    })
                    .await;
                told.insert(node, view);
            }
        }
        if has_ended(&mut opinion).await {
            return;
        }
        sleep_until(begun + SPACING).await;
    }
}

// Private

/// Who gets nothing new, in this opinion.
fn away(opinion: &Opinion) -> Away {
    let mut away = Away::default();
    for (node, view) in opinion {
        if view.drained {
            away.drained.insert(node.clone());
        }
        if view.health.is_down() {
            away.down.insert(node.clone());
        }
    }
    away
}

async fn put_in_force(
    master: Identity,
    signal: Signal,
    setting: &Setting,
    away: &Away,
) -> Result<(), String> {
    let files = orders(setting, away).map_err(|error| error.to_string())?;
    if files
        .iter()
        .all(|file| is_written(file) && is_in_force(master, &file.path))
    {
        return Ok(());
    }
    write_orders(setting, away).map_err(|error| error.to_string())?;
    let log = setting.run_dir.log(setting.balancer.kind().name());
    turn_over(master, signal, &log).await
}

async fn has_ended(opinion: &mut watch::Receiver<Opinion>) -> bool {
    opinion.changed().await.is_err()
}
