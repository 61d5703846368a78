//! A row, and the token in it.

use std::fmt;

use common::crypto::{CannotOpen, Vault};
use model::{Activity, NoticeState, Presence, Refusal, WhitelabelBot};
use secrecy::SecretString;
use time::OffsetDateTime;
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::{
    Error,
    convert::{id, name},
};

/// A customer's bot with its token as it lies in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhitelabelRow {
    /// The bot.
    pub bot: WhitelabelBot,
    /// Its token.
    pub token: SealedToken,
}

/// A bot's token that is sealed for its row.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedToken {
    bot: Id<ApplicationMarker>,
    bytes: Vec<u8>,
}

impl SealedToken {
    /// Seals the token of a bot.
    #[must_use]
    pub fn seal(vault: &Vault, bot: Id<ApplicationMarker>, token: &SecretString) -> Self {
        Self { bot, bytes: vault.seal(&place(bot), token) }
    }

    /// The token.
    ///
    /// # Errors
    ///
    /// [`CannotOpen`] where the key is missing, or the row does not hold what was sealed for it.
    pub fn open(&self, vault: &Vault) -> Result<SecretString, CannotOpen> {
        vault.open(&place(self.bot), &self.bytes)
    }

    /// The id of the key that it is sealed with.
    #[must_use]
    pub fn key(&self) -> Option<u32> {
        Vault::key_of(&self.bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedToken").field("bot", &self.bot).finish_non_exhaustive()
    }
}

/// What a token is sealed for: its column of its row.
fn place(bot: Id<ApplicationMarker>) -> String {
    format!("whitelabel_bots.token:{bot}")
}

/// All columns but those that only statements use.
pub(super) struct Row {
    pub(super) bot_id: i64,
    pub(super) owner_id: i64,
    pub(super) token: Vec<u8>,
    pub(super) token_version: i32,
    pub(super) message_content: bool,
    pub(super) presence_status: Option<String>,
    pub(super) activity_kind: Option<String>,
    pub(super) activity_text: Option<String>,
    pub(super) enabled: bool,
    pub(super) refused_code: Option<i32>,
    pub(super) refused_reason: Option<String>,
    pub(super) refused_at: Option<OffsetDateTime>,
    pub(super) notice: Option<String>,
    pub(super) owner_told_at: Option<OffsetDateTime>,
    pub(super) version: i32,
    pub(super) created_at: OffsetDateTime,
}

impl Row {
    pub(super) fn read(self) -> Result<WhitelabelRow, Error> {
        let subject = format!("whitelabel bot {}", self.bot_id.cast_unsigned());
        let bot = id(self.bot_id, "bot_id", &subject)?;
        let activity = match (self.activity_kind, self.activity_text) {
            (Some(kind), Some(text)) => Some(Activity { kind: name(&kind, "activity_kind", &subject)?, text }),
            _ => None,
        };
        let status = self.presence_status.map(|status| name(&status, "presence_status", &subject)).transpose()?;
        let refusal = match (self.refused_code, self.refused_reason, self.refused_at) {
            (Some(code), Some(reason), Some(at)) => {
                let corrupt = |column, found: &dyn fmt::Debug| Error::Corrupt {
                    subject: subject.clone(),
                    column,
                    found: format!("{found:?}"),
                };
                let notice = match (self.notice.as_deref(), self.owner_told_at) {
                    (Some("due"), None) => NoticeState::Due,
                    (Some("told"), Some(at)) => NoticeState::Told(at),
                    (Some("undeliverable"), None) => NoticeState::Undeliverable,
                    found => return Err(corrupt("notice", &found)),
                };
                let code = u16::try_from(code).map_err(|_| corrupt("refused_code", &code))?;
                Some(Refusal { code, reason, at, notice })
            }
            _ => None,
        };
        Ok(WhitelabelRow {
            bot: WhitelabelBot {
                bot,
                owner: id(self.owner_id, "owner_id", &subject)?,
                token_version: self.token_version,
                message_content: self.message_content,
                presence: status.map(|status| Presence { status, activity }),
                enabled: self.enabled,
                refusal,
                version: self.version,
                created_at: self.created_at,
            },
            token: SealedToken { bot, bytes: self.token },
        })
    }
}
