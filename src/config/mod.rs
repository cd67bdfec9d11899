//! `/etc/config/gwha`: from text to a valid [`model::Config`].

pub mod model;
