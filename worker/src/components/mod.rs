//! Buttons: the list of all, and which custom id means which.

pub mod claim;
pub mod close;
pub mod open_panel;

use model::CustomId;

use crate::action::Action;

/// All buttons.
pub static ALL: &[&Action] =
    &[&open_panel::OPEN, &close::CLOSE, &close::CLOSE_YES, &close::CLOSE_NO, &close::CLOSE_REASON, &claim::CLAIM];

/// The button of this custom id; `None` where the id is a form's.
#[must_use]
pub fn find(id: CustomId) -> Option<&'static Action> {
    Some(match id {
        CustomId::Open(_) => &open_panel::OPEN,
        CustomId::Close(_) => &close::CLOSE,
        CustomId::CloseYes(_) => &close::CLOSE_YES,
        CustomId::CloseNo => &close::CLOSE_NO,
        CustomId::CloseReason(_) => &close::CLOSE_REASON,
        CustomId::Claim(_) => &claim::CLAIM,
        CustomId::CloseForm(_) => return None,
    })
}
