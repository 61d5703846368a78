//! What only a database can do wrong.

mod purge;
mod racing;
mod refill;
mod rows;
mod schema;
