//! Table `whitelabel_bots`.

mod bots;
mod refusals;
mod row;
#[cfg(test)]
mod tests;

pub use self::{
    bots::{NewWhitelabelBot, Unreadable, WhitelabelBots},
    refusals::DueNotice,
    row::{SealedToken, WhitelabelRow},
};
