//! The whole of crm-sync on one machine.
//!
//! [`Home::start`] brings the product up for a demo: as `crm-sync serve`, or as a [`Stack`].
//!
//! [`Stack::start`] brings up an AWS emulator, deploys `template.yaml` to it with the real function
//! binaries, starts the Salesforce simulator and a token issuer, and puts an address in front of
//! the API. Everything listens on loopback and ends with the [`Stack`], or with the process that
//! holds it.
//!
//! `docs/emulator.md` says where the emulator differs from AWS.

mod aws;
mod calls;
mod demo;
mod deploy;
mod embedded;
mod emulator;
mod front;
mod home;
mod issuer;
mod left;
mod metrics;
mod net;
mod options;
mod process;
mod record;
mod resources;
mod simulator;
mod stack;
mod stores;
mod ticker;
mod watch;

pub use aws::Aws;
pub use calls::Call;
pub use demo::{
    ConnectPage, Data, DemoOptions, DirectoryFiles, Finished, OwnData, Quality, Report,
    differences, measure, run as run_demo, say,
};
pub use embedded::Embedded;
pub use home::{Home, Left, On, Traces};
pub use issuer::{AUDIENCE, Caller, Issuer};
pub use net::Server;
pub use options::StackOptions;
pub use record::StackRecord;
pub use simulator::{Simulator, SimulatorAt};
pub use stack::Stack;
pub use ticker::Ticker;
