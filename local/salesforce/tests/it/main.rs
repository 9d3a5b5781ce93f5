//! The simulator as a client sees it: through its proxy, over TLS, at Salesforce's own hosts.

#[cfg(test)]
mod support;

#[cfg(test)]
mod main_job;
