//! The simulator as a client sees it: through its proxy, over TLS, at Salesforce's own hosts.

#[cfg(test)]
mod support;
mod together;

#[cfg(test)]
mod changes;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod main_job;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod writes;
