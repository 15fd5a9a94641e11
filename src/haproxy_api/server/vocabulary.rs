//! The commands, with HAProxy's help texts. `help`, `prompt` and `quit` are in [`super::help`],
//! which always shows them.

use super::answer::Level;
use super::line::Words;

/// A command.
pub(super) struct Command {
    /// Its first words.
    pub(super) words: &'static [&'static str],
    /// Its line in `help`; `None` for those that HAProxy does not show.
    pub(super) usage: Option<&'static str>,
    /// The required level.
    pub(super) level: Level,
    pub(super) verb: Verb,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    AddServer,
    ClearCounters,
    ClearTable,
    DelServer,
    DisableAgent,
    DisableFrontend,
    DisableHealth,
    DisableServer,
    EnableAgent,
    EnableFrontend,
    EnableHealth,
    EnableServer,
    Expert,
    Experimental,
    GetSockets,
    GetWeight,
    Help,
    Operator,
    Prompt,
    Quit,
    Reload,
    SetMaxconnFrontend,
    SetMaxconnGlobal,
    SetMaxconnServer,
    SetServer,
    SetSeverityOutput,
    SetTable,
    SetTimeout,
    SetWeight,
    ShowBackend,
    ShowCliLevel,
    ShowCliSockets,
    ShowEnv,
    ShowErrors,
    ShowInfo,
    ShowSchema,
    ShowServersConn,
    ShowServersState,
    ShowSess,
    ShowStat,
    ShowTable,
    ShowVersion,
    ShutdownFrontend,
    ShutdownSession,
    ShutdownSessions,
    User,
}

/// In the order of `help`.
#[rustfmt::skip]
pub(super) static COMMANDS: &[Command] = {
    use Level::{Admin, Operator, User};
    &[
        hidden(&["_getsocks"], Admin, Verb::GetSockets),
        shown(&["add", "server"], "add server <bk>/<srv>                   : create a new server", Admin, Verb::AddServer),
        shown(&["clear", "counters"], "clear counters [all]                    : clear max statistics counters (or all counters)", Operator, Verb::ClearCounters),
        shown(&["clear", "table"], "clear table <table> [<filter>]*         : remove an entry from a table (filter: data/key)", User, Verb::ClearTable),
        shown(&["del", "server"], "del server <bk>/<srv>                   : remove a dynamically added server", Admin, Verb::DelServer),
        shown(&["disable", "agent"], "disable agent                           : disable agent checks", Admin, Verb::DisableAgent),
        shown(&["disable", "frontend"], "disable frontend <frontend>             : temporarily disable specific frontend", Admin, Verb::DisableFrontend),
        shown(&["disable", "health"], "disable health                          : disable health checks", Admin, Verb::DisableHealth),
        shown(&["disable", "server"], "disable server (DEPRECATED)             : disable a server for maintenance (use 'set server' instead)", Admin, Verb::DisableServer),
        shown(&["enable", "agent"], "enable agent                            : enable agent checks", Admin, Verb::EnableAgent),
        shown(&["enable", "frontend"], "enable frontend <frontend>              : re-enable specific frontend", Admin, Verb::EnableFrontend),
        shown(&["enable", "health"], "enable health                           : enable health checks", Admin, Verb::EnableHealth),
        shown(&["enable", "server"], "enable server  (DEPRECATED)             : enable a disabled server (use 'set server' instead)", Admin, Verb::EnableServer),
        hidden(&["experimental-mode"], Admin, Verb::Experimental),
        hidden(&["expert-mode"], Admin, Verb::Expert),
        shown(&["get", "weight"], "get weight <bk>/<srv>                   : report a server's current weight", User, Verb::GetWeight),
        hidden(&["help"], User, Verb::Help),
        shown(&["operator"], "operator                                : lower the level of the current CLI session to operator", Operator, Verb::Operator),
        hidden(&["prompt"], User, Verb::Prompt),
        hidden(&["quit"], User, Verb::Quit),
        // A command of HAProxy's master process; there is no master here.
        shown(&["reload"], "reload                                  : read the configuration file again and put it in force", Admin, Verb::Reload),
        shown(&["set", "maxconn", "frontend"], "set maxconn frontend <frontend> <value> : change a frontend's maxconn setting", Admin, Verb::SetMaxconnFrontend),
        shown(&["set", "maxconn", "global"], "set maxconn global <value>              : change the per-process maxconn setting", Admin, Verb::SetMaxconnGlobal),
        shown(&["set", "maxconn", "server"], "set maxconn server <bk>/<srv>           : change a server's maxconn setting", Admin, Verb::SetMaxconnServer),
        shown(&["set", "server"], "set server <bk>/<srv> [opts]            : change a server's state, weight, address or ssl", Admin, Verb::SetServer),
        shown(&["set", "severity-output"], "set severity-output [none|number|string]: set presence of severity level in feedback information", User, Verb::SetSeverityOutput),
        shown(&["set", "table"], "set table <table> key <k> [data.* <v>]* : update or create a table entry's data", User, Verb::SetTable),
        shown(&["set", "timeout"], "set timeout [cli] <delay>               : change a timeout setting", User, Verb::SetTimeout),
        shown(&["set", "weight"], "set weight <bk>/<srv>  (DEPRECATED)     : change a server's weight (use 'set server' instead)", Admin, Verb::SetWeight),
        shown(&["show", "backend"], "show backend                            : list backends in the current running config", User, Verb::ShowBackend),
        shown(&["show", "cli", "level"], "show cli level                          : display the level of the current CLI session", User, Verb::ShowCliLevel),
        shown(&["show", "cli", "sockets"], "show cli sockets                        : dump list of cli sockets", User, Verb::ShowCliSockets),
        shown(&["show", "env"], "show env [var]                          : dump environment variables known to the process", Operator, Verb::ShowEnv),
        shown(&["show", "errors"], "show errors [<px>] [request|response]   : report last request and/or response errors for each proxy", Operator, Verb::ShowErrors),
        shown(&["show", "info"], "show info [desc|json|typed|float]*      : report information about the running process", User, Verb::ShowInfo),
        shown(&["show", "schema", "json"], "show schema json                        : report schema used for stats", User, Verb::ShowSchema),
        shown(&["show", "servers", "conn"], "show servers conn [<backend>]           : dump server connections status (all or for a single backend)", User, Verb::ShowServersConn),
        shown(&["show", "servers", "state"], "show servers state [<backend>]          : dump volatile server information (all or for a single backend)", User, Verb::ShowServersState),
        shown(&["show", "sess"], "show sess [id]                          : report the list of current sessions or dump this exact session", Operator, Verb::ShowSess),
        shown(&["show", "stat"], "show stat [desc|json|no-maint|typed|up]*: report counters for each proxy and server", User, Verb::ShowStat),
        shown(&["show", "table"], "show table <table> [<filter>]*          : report table usage stats or dump this table's contents (filter: data/key)", User, Verb::ShowTable),
        shown(&["show", "version"], "show version                            : show version of the current process", User, Verb::ShowVersion),
        shown(&["shutdown", "frontend"], "shutdown frontend <frontend>            : stop a specific frontend", Admin, Verb::ShutdownFrontend),
        shown(&["shutdown", "session"], "shutdown session [id]                   : kill a specific session", Admin, Verb::ShutdownSession),
        shown(&["shutdown", "sessions", "server"], "shutdown sessions server <bk>/<srv>     : kill sessions on a server", Admin, Verb::ShutdownSessions),
        shown(&["user"], "user                                    : lower the level of the current CLI session to user", User, Verb::User),
    ]
};

impl Command {
    /// The command at the beginning of `words`.
    pub(super) fn find(words: &Words) -> Option<&'static Command> {
        COMMANDS
            .iter()
            .find(|command| command.matching(words) == command.words.len())
    }

    /// How many of its words match the beginning of `words`.
    pub(super) fn matching(&self, words: &Words) -> usize {
        let same = self.words.iter().zip(words.from(0));
        same.take_while(|(own, typed)| *own == typed).count()
    }
}

// Private

const fn shown(words: &'static [&'static str], usage: &'static str, level: Level, verb: Verb) -> Command {
    Command {
        words,
        usage: Some(usage),
        level,
        verb,
    }
}

const fn hidden(words: &'static [&'static str], level: Level, verb: Verb) -> Command {
    Command {
        words,
        usage: None,
        level,
        verb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_in_the_order_of_help_and_each_is_found() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.words));
        for command in COMMANDS {
            let words = command.words.iter().copied().collect();
            let found = Command::find(&words).unwrap();
            assert_eq!(found.verb, command.verb);
        }
    }
}
