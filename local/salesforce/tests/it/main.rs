//! The simulator as a client sees it: through its proxy, over TLS, at Salesforce's own hosts.

mod support;

mod main_job;
