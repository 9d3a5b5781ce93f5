//! The main job in one process, the whole way and with every kind of trouble on it.

mod main_job;
