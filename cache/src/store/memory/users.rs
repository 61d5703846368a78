//! Users, who are the same in every guild.

use std::{collections::HashMap, sync::RwLock};

use foldhash::fast::RandomState;
use twilight_model::id::{Id, marker::UserMarker};

use super::{read, write};
use crate::entity::{Interner, User};

/// Users by their ids.
#[derive(Debug, Default)]
pub(super) struct Users(RwLock<HashMap<Id<UserMarker>, Box<Known>, RandomState>>);

#[derive(Debug)]
struct Known {
    /// When an event told of the user, in milliseconds since 1970.
    told_ms: i64,
    user: User,
}

impl Users {
    /// Takes them, except where something younger is known.
    pub(super) fn tell(&self, users: impl IntoIterator<Item = User>, told_ms: i64, texts: &Interner) {
        self.tell_each(users.into_iter().map(|user| (user, told_ms)), texts);
    }

    /// The same, each with its time.
    pub(super) fn tell_each(&self, users: impl IntoIterator<Item = (User, i64)>, texts: &Interner) {
        let mut known = write(&self.0);
        for (mut user, told_ms) in users {
            match known.get_mut(&user.id) {
                Some(before) if before.told_ms >= told_ms => {}
                Some(before) => {
                    before.told_ms = told_ms;
                    if before.user != user {
                        user.intern(texts);
                        before.user = user;
                    }
                }
                None => {
                    user.intern(texts);
                    known.insert(user.id, Box::new(Known { told_ms, user }));
                }
            }
        }
    }

    pub(super) fn get(&self, user: Id<UserMarker>) -> Option<User> {
        read(&self.0).get(&user).map(|known| known.user.clone())
    }

    /// Forgets all others, and says how many.
    pub(super) fn retain(&self, keep: impl Fn(Id<UserMarker>) -> bool) -> usize {
        let mut known = write(&self.0);
        let before = known.len();
        known.retain(|user, _| keep(*user));
        if known.capacity() > 2 * known.len() {
            known.shrink_to_fit();
        }
        before - known.len()
    }
}
