//! Idle connections that a balancer keeps to its servers.

use super::error::RuntimeError;
use super::socket::Socket;

/// The command.
const COMMAND: &str = "show servers conn";

impl Socket {
    /// The number of connections that are kept idle for later requests: server and number, one
    /// entry for each backend.
    pub async fn idle(&self) -> Result<Vec<(String, u64)>, RuntimeError> {
        let answer = self.question(COMMAND).await?;
        parse(&answer).ok_or_else(|| RuntimeError::unreadable(COMMAND))
    }
}

// Private

fn parse(answer: &str) -> Option<Vec<(String, u64)>> {
    let mut lines = answer.lines().filter(|line| !line.is_empty());
    let header = lines.next()?.strip_prefix("# ")?;
    let column = header.split(' ').position(|name| name == "idle_cur")?;
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let (_, server) = words.next()?.split_once('/')?;
            let idle = words.nth(column.checked_sub(1)?)?.parse().ok()?;
            Some((server.to_owned(), idle))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_found_by_its_name() {
        let answer = "# bkname/svname bkid/svid addr port - purge_delay used_cur idle_lim idle_cur idle_per_thr[2]\n\
                      tcp/n1 8/1 127.0.0.1 31001 - 5000 2 -1 0 0 0\n\
                      http/n1 9/1 127.0.0.1 30081 - 5000 1 -1 3 1 2\n\n";
        assert_eq!(
            parse(answer).unwrap(),
            [("n1".to_owned(), 0), ("n1".to_owned(), 3)]
        );
        assert_eq!(parse("nonsense\n"), None);
        assert_eq!(parse("# idle_cur\nx/n1 3\n"), None);
    }
}
