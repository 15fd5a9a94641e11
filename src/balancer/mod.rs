//! What each balancer is: its files, its commands, what it can do.
