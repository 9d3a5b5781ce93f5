//! What surrounds every handler.
