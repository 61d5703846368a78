use std::time::Duration;

use common::clock::Clock;
use discord_sim::{RestFault, state::Message};
use model::{CloseStep, TicketEvent, TicketState};
use serde_json::json;
use time::OffsetDateTime;
use twilight_model::guild::Permissions;
use worker::{Context, tickets::reconcile::pass};

use crate::house::{House, option};

const CHANNEL: &str = "/channels/{channel_id}";
const MESSAGES: &str = "/channels/{channel_id}/messages";

#[tokio::test]
async fn close_asks_and_then_posts_the_transcript_and_deletes_the_channel() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.sim.write(|state| state.say(channel, seed.member, "my save is gone"));
    house.sim.write(|state| state.say(channel, seed.staff, "we will look"));
    house.press_for_text(seed.staff, channel, "t1:claim:1").await;

    let question = house.press_for_text(seed.member, channel, "t1:close:1").await;
    assert!(question.starts_with("Close this ticket?"), "{question}");
    assert_eq!(house.ticket(1).await.state, TicketState::Open);
    let answer = house.press(seed.member, channel, "t1:close-yes:1").await.acknowledged.unwrap();
    assert_eq!((answer.kind, &answer.data["content"]), (7, &"Closing ticket…".into()));

    let ticket = house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(ticket.closed_by, Some(seed.member));
    assert!(house.ticket_channels().is_empty());
    let (notice, text) = house.transcripts().await.pop().unwrap();
    assert_eq!(notice.attachments[0].filename, "transcript-ticket-0001.txt");
    assert_eq!(notice.embeds[0]["title"], "Ticket 1 closed");
    assert!(text.contains(&format!("Mia ({})\n    my save is gone\n", seed.member)), "{text}");
    assert!(text.contains("    we will look\n"), "{text}");
    assert!(text.contains(&format!("Claimed by: Sam ({})", seed.staff)), "{text}");
    assert!(text.contains("Messages: 4\n"), "{text}");
    let events = house.cx.db.events().list(ticket.key).await.unwrap();
    assert_eq!(events.last().unwrap().event, TicketEvent::Closed);
    house.leave().await;
}

#[tokio::test]
async fn cancel_leaves_the_ticket_open() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.press(seed.member, channel, "t1:close:1").await;
    let answer = house.press(seed.member, channel, "t1:close-no").await.acknowledged.unwrap();
    assert_eq!(answer.data["content"], "The ticket stays open.");
    assert_eq!(answer.data["components"], json!([]));
    assert_eq!(house.ticket(1).await.state, TicketState::Open);
    house.leave().await;
}

#[tokio::test]
async fn a_form_asks_for_the_reason() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.press(seed.staff, channel, "t1:close:1").await;
    let form = house.press(seed.staff, channel, "t1:close-reason:1").await;
    assert_eq!(form.acknowledged.as_ref().unwrap().kind, 9);
    let submitted = house.sim.submit(form.id, &[("reason", "  solved by\na patch ")]).unwrap();
    let answer = house.sim.answered(submitted).await.acknowledged.unwrap();
    assert_eq!(answer.data["content"], "Closing ticket…");
    let ticket = house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(ticket.close_reason.as_deref(), Some("solved by\na patch"));
    let (notice, text) = house.transcripts().await.pop().unwrap();
    assert!(json!(notice.embeds).to_string().contains("solved by\\na patch"));
    assert!(text.contains("Reason: solved by\n    a patch\n"), "{text}");
    house.leave().await;
}

#[tokio::test]
async fn close_suggests_frequent_reasons_to_the_staff_alone() {
    let house = House::furnished().await;
    let seed = house.seed;
    let too_long = format!("So {}", "long".repeat(30));
    for (number, reason) in [(1, "Solved"), (2, too_long.as_str())] {
        house.open_as(seed.member).await;
        let channel = house.ticket(number).await.channel.unwrap();
        let answer = house.command(seed.staff, channel, "close", option("reason", reason)).await;
        assert_eq!(answer.content, "Closing ticket…");
        house.ticket_in(number, TicketState::Closed).await;
    }
    house.open_as(seed.member).await;
    let channel = house.ticket(3).await.channel.unwrap();
    let solved = json!([{"name": "Solved", "value": "Solved"}]);
    let typing = json!([{ "name": "reason", "type": 3, "value": "so", "focused": true }]);
    for (user, channel, expected) in [
        (seed.staff, channel, &solved),
        (seed.admin, channel, &solved),
        (seed.member, channel, &json!([])),
        (seed.admin, seed.general, &json!([])),
    ] {
        let id = house.sim.autocomplete(user, channel, "close", &typing).unwrap();
        let answer = house.sim.answered(id).await.acknowledged.unwrap();
        assert_eq!((answer.kind, &answer.data["choices"]), (8, expected));
    }
    house.leave().await;
}

#[tokio::test]
async fn close_outside_a_ticket_says_where_to_use_it() {
    let house = House::furnished().await;
    let seed = house.seed;
    let answer = house.command(seed.admin, seed.general, "close", json!([])).await;
    assert!(answer.content.starts_with("This channel is not a ticket."), "{}", answer.content);
    house.leave().await;
}

#[tokio::test]
async fn two_who_close_at_once_close_it_once() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    let (one, other) = tokio::join!(
        house.command(seed.member, channel, "close", json!([])),
        house.command(seed.staff, channel, "close", json!([])),
    );
    let mut answers = [one.content, other.content];
    answers.sort_unstable();
    assert_eq!(answers, ["Closing ticket…", "This ticket is being closed already."]);
    house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(house.transcripts().await.len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_transcript_channel_that_is_gone_does_not_stop_the_closing() {
    let house = House::furnished().await;
    let seed = house.seed;
    let transcripts = house.settings().await.transcript_channel.unwrap();
    let channel = house.opened().await.channel.unwrap();
    house.sim.write(|state| state.remove_channel(transcripts));
    house.command(seed.member, channel, "close", json!([])).await;
    let ticket = house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(house.cx.db.messages().list(ticket.key).await.unwrap().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_transcript_that_cannot_be_posted_is_told_to_whoever_closed() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.fail("POST", MESSAGES, RestFault::Refuse(403, 50013));
    house.command(seed.staff, channel, "close", json!([])).await;
    house.ticket_in(1, TicketState::Closed).await;
    assert!(house.transcripts().await.is_empty());
    house
        .sim
        .wait_for("a private message", |state| {
            let mut private = state.channels.values().filter(|channel| channel.recipients.contains(&seed.staff));
            private
                .find_map(|channel| state.find_message(channel.id, |told| told.content.contains("no transcript")))?;
            Some(())
        })
        .await;
    house.leave().await;
}

#[tokio::test]
async fn a_token_that_is_refused_destroys_nothing() {
    let calls = [("PATCH", CHANNEL), ("GET", MESSAGES), ("POST", MESSAGES), ("DELETE", CHANNEL)];
    for (method, template) in calls {
        let house = House::furnished().await;
        let seed = house.seed;
        let channel = house.opened().await.channel.unwrap();
        house.sim.write(|state| state.say(channel, seed.member, "not captured"));
        house.fail(method, template, RestFault::Refuse(401, 0));
        house.command(seed.staff, channel, "close", json!([])).await;
        house.calm().await;
        assert_eq!(house.ticket(1).await.state, TicketState::Closing, "{method} {template}");
        assert_eq!(house.ticket_channels().len(), 1, "{method} {template}");

        house.end_lease(1).await;
        pass(&house.restarted()).await.unwrap();
        assert_eq!(house.ticket(1).await.state, TicketState::Closed, "{method} {template}");
        let transcripts = house.transcripts().await;
        assert_eq!(transcripts.len(), 1, "{method} {template}");
        assert!(transcripts[0].1.contains("not captured"), "{method} {template}");
        house.leave().await;
    }
}

#[tokio::test]
async fn a_step_that_discord_fails_is_tried_again_soon() {
    for (method, template, done) in [
        ("PATCH", CHANNEL, CloseStep::Begun),
        ("POST", MESSAGES, CloseStep::Swept),
        ("DELETE", CHANNEL, CloseStep::Archived),
    ] {
        let house = House::furnished().await;
        let channel = house.opened().await.channel.unwrap();
        house.fail(method, template, RestFault::Refuse(503, 0));
        house.command(house.seed.staff, channel, "close", json!([])).await;
        house.calm().await;
        let ticket = house.ticket(1).await;
        assert_eq!(ticket.close_step, Some(done), "{method} {template}");
        let pause = ticket.leased_until.unwrap() - OffsetDateTime::now_utc();
        assert!(pause < time::Duration::seconds(6), "{method} {template}: {pause}");
        house.leave().await;
    }
}

#[tokio::test]
async fn a_channel_that_may_not_be_deleted_says_so_once_and_is_tried_again_later() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.fail("DELETE", CHANNEL, RestFault::Refuse(403, 50013));
    house.command(seed.staff, channel, "close", json!([])).await;
    house.calm().await;
    let told = |message: &Message| message.content.contains("I may not delete it");
    assert_eq!(house.messages(channel).iter().filter(|message| told(message)).count(), 1);
    let pause = house.ticket(1).await.leased_until.unwrap() - OffsetDateTime::now_utc();
    assert!(pause > time::Duration::minutes(9), "{pause}");

    house.fail("DELETE", CHANNEL, RestFault::Refuse(403, 50013));
    house.end_lease(1).await;
    pass(&house.cx).await.unwrap();
    assert_eq!(house.ticket(1).await.state, TicketState::Closing);
    assert_eq!(house.messages(channel).iter().filter(|message| told(message)).count(), 1);

    house.end_lease(1).await;
    pass(&house.cx).await.unwrap();
    assert_eq!(house.ticket(1).await.state, TicketState::Closed);
    assert_eq!(house.transcripts().await.len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_closing_that_is_refused_for_a_day_ends_and_leaves_the_channel_to_the_staff() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.fail("DELETE", CHANNEL, RestFault::Refuse(403, 50001));
    house.command(seed.staff, channel, "close", json!([])).await;
    house.calm().await;
    house.fail("DELETE", CHANNEL, RestFault::Refuse(403, 50001));
    house.end_lease(1).await;
    let tomorrow = Clock::manual(OffsetDateTime::now_utc() + time::Duration::hours(25));
    pass(&Context { clock: tomorrow, ..house.cx.clone() }).await.unwrap();
    assert_eq!(house.ticket(1).await.state, TicketState::Closed);
    assert_eq!(house.ticket_channels().len(), 1);
    let (notice, _) = house.transcripts().await.pop().unwrap();
    assert!(notice.content.contains(&format!("<#{channel}>")), "{}", notice.content);
    house.leave().await;
}

#[tokio::test]
async fn a_channel_that_may_not_be_read_is_not_deleted_before_it_was() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.sim.write(|state| state.say(channel, seed.member, "not captured"));
    house.fail("GET", MESSAGES, RestFault::Refuse(403, 50001));
    house.command(seed.staff, channel, "close", json!([])).await;
    house.calm().await;
    assert_eq!(house.ticket(1).await.close_step, Some(CloseStep::Locked));
    assert_eq!(house.ticket_channels().len(), 1);
    house.end_lease(1).await;
    pass(&house.cx).await.unwrap();
    let (_, text) = house.transcripts().await.pop().unwrap();
    assert!(text.contains("not captured"), "{text}");
    house.leave().await;
}

#[tokio::test]
async fn while_a_ticket_closes_the_staff_read_and_what_is_written_all_the_same_is_kept() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    // The transcript takes a while, and the channel is swept already.
    house.fail("POST", MESSAGES, RestFault::Delay(Duration::from_secs(1)));
    house.command(seed.member, channel, "close", json!([])).await;
    house.sim.wait_for("the transcript on its way", |state| state.rest_faults.is_empty().then_some(())).await;
    house.sim.read(|state| {
        let of = |user| state.channel_permissions(&state.channels[&channel], user);
        assert!(!of(seed.member).contains(Permissions::VIEW_CHANNEL), "the opener is out");
        assert!(of(seed.staff).contains(Permissions::VIEW_CHANNEL | Permissions::READ_MESSAGE_HISTORY));
        assert!(!of(seed.staff).contains(Permissions::SEND_MESSAGES), "the staff read only");
    });
    house.sim.write(|state| state.say(channel, seed.admin, "one more thing"));
    let ticket = house.ticket_in(1, TicketState::Closed).await;
    let posted = house.transcripts().await;
    assert_eq!(posted.len(), 2);
    assert!(!posted[0].1.contains("one more thing"));
    assert!(posted[1].1.contains("one more thing"), "{}", posted[1].1);
    let kept = house.cx.db.messages().list(ticket.key).await.unwrap();
    assert!(kept.iter().any(|message| message.content == "one more thing"));
    house.leave().await;
}

#[tokio::test]
async fn a_long_ticket_is_swept_to_its_beginning_and_what_is_gone_is_marked() {
    let house = House::furnished().await;
    let seed = house.seed;
    let ticket = house.opened().await;
    let channel = ticket.channel.unwrap();
    house.sim.write(|state| {
        for number in 0..250 {
            state.say(channel, seed.member, &format!("line {number}"));
        }
    });
    // Captured live, and deleted while nobody listened.
    let mut lost = house.messages(channel)[3].clone();
    lost.content = "gone".to_owned();
    let frame = house.sim.read(|state| state.message_event_json(&lost));
    crate::events::handle(&house, "MESSAGE_CREATE", &frame).await;
    house.sim.write(|state| state.remove_message(channel, lost.id));

    house.command(seed.member, channel, "close", json!([])).await;
    house.ticket_in(1, TicketState::Closed).await;
    let messages = house.cx.db.messages().list(ticket.key).await.unwrap();
    assert_eq!(messages.len(), 251);
    let deleted: Vec<_> = messages.iter().filter(|message| message.deleted_at.is_some()).collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].content, "gone");
    house.leave().await;
}
