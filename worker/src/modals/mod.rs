//! Forms: the list of all, and which custom id means which.

pub mod close_reason;

use model::CustomId;

use crate::action::Action;

/// All forms.
pub static ALL: &[&Action] = &[&close_reason::CLOSE_FORM];

/// The form of this custom id; `None` where the id is a button's.
#[must_use]
pub fn find(id: CustomId) -> Option<&'static Action> {
    match id {
        CustomId::CloseForm(_) => Some(&close_reason::CLOSE_FORM),
        CustomId::Open(_)
        | CustomId::Close(_)
        | CustomId::CloseYes(_)
        | CustomId::CloseNo
        | CustomId::CloseReason(_)
        | CustomId::Claim(_) => None,
    }
}
