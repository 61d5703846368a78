use model::{Activity, ActivityKind, PresenceStatus};
use twilight_model::gateway::{
    payload::outgoing::update_presence::UpdatePresencePayload,
    presence::{self, ActivityType, MinimalActivity, Status},
};

use crate::presence::{Presence, TooLong};

/// A bot's presence in the gateway's terms.
///
/// # Errors
///
/// When its text is too long for the gateway.
pub fn presence(wanted: &model::Presence) -> Result<Presence, TooLong> {
    let status = match wanted.status {
        PresenceStatus::Online => Status::Online,
        PresenceStatus::Idle => Status::Idle,
        PresenceStatus::DoNotDisturb => Status::DoNotDisturb,
        PresenceStatus::Invisible => Status::Invisible,
    };
    let activities = wanted.activity.iter().map(activity).collect();
    Presence::new(UpdatePresencePayload { activities, afk: false, since: None, status })
}

fn activity(Activity { kind, text }: &Activity) -> presence::Activity {
    let typed = |kind| MinimalActivity { kind, name: text.clone(), url: None }.into();
    match kind {
        ActivityKind::Playing => typed(ActivityType::Playing),
        ActivityKind::Listening => typed(ActivityType::Listening),
        ActivityKind::Watching => typed(ActivityType::Watching),
        ActivityKind::Competing => typed(ActivityType::Competing),
        // Discord shows the state of a custom one and demands a name for it all the same.
        ActivityKind::Custom => presence::Activity { state: Some(text.clone()), ..typed(ActivityType::Custom) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presence_is_written_as_discord_reads_it() {
        let shown = |kind| model::Presence {
            status: PresenceStatus::DoNotDisturb,
            activity: Some(Activity { kind, text: "12 tickets".to_owned() }),
        };
        let command = presence(&shown(ActivityKind::Watching)).unwrap();
        let payload = serde_json::to_value(command.payload()).unwrap();
        assert_eq!((&payload["status"], &payload["activities"][0]["type"]), (&"dnd".into(), &3.into()));
        assert_eq!(payload["activities"][0]["name"], "12 tickets");
        let command = presence(&shown(ActivityKind::Custom)).unwrap();
        let payload = serde_json::to_value(command.payload()).unwrap();
        assert_eq!(payload["activities"][0]["state"], "12 tickets");
    }
}
