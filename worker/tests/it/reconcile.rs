use std::time::Duration;

use common::service::Service;
use database::{NewTicket, OpenOutcome};
use discord_sim::RestFault;
use model::{CloseStep, Ticket, TicketState};
use time::OffsetDateTime;
use twilight_model::id::{Id, marker::UserMarker};
use worker::tickets::reconcile::{pass, run};

use crate::house::House;

const CREATE_CHANNEL: &str = "/guilds/{guild_id}/channels";
const CREATE_MESSAGE: &str = "/channels/{channel_id}/messages";

/// A row that its process left behind when it died.
pub(crate) async fn left_opening(house: &House) -> Ticket {
    left_by(house, house.seed.member).await
}

async fn left_by(house: &House, opener: Id<UserMarker>) -> Ticket {
    let new = NewTicket {
        guild: house.seed.guild,
        bot: house.cx.bot,
        panel: None,
        opener,
        subject: Some("lost save".to_owned()),
        interaction: Id::new(opener.get()),
        limit: 1,
        lease: Duration::ZERO,
    };
    match house.cx.db.tickets().begin_opening(&new).await.unwrap() {
        OpenOutcome::Begun(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_row_without_a_channel_gets_one() {
    let house = House::furnished().await;
    left_opening(&house).await;
    assert_eq!(pass(&house.cx).await.unwrap(), 1);
    let ticket = house.ticket(1).await;
    assert_eq!(ticket.state, TicketState::Open);
    let welcome = house.messages(ticket.channel.unwrap());
    assert_eq!(welcome.len(), 1);
    assert_eq!(welcome[0].embeds[0]["fields"][0]["value"], "lost save", "the subject is not lost");
    assert_eq!(pass(&house.cx).await.unwrap(), 0);
    house.leave().await;
}

#[tokio::test]
async fn a_channel_whose_answer_was_lost_is_adopted() {
    let house = House::furnished().await;
    house.fail("POST", CREATE_CHANNEL, RestFault::FailAfterEffect);
    let answer = house.open_as(house.seed.member).await;
    assert!(answer.contains("will appear"), "{answer}");
    // Discord may still be making it: it is looked for soon, but not at once.
    assert_eq!(pass(&house.cx).await.unwrap(), 0);
    let soon = house.ticket(1).await.leased_until.unwrap() - OffsetDateTime::now_utc();
    assert!(soon < time::Duration::seconds(10), "{soon}");
    house.end_lease(1).await;
    assert_eq!(pass(&house.cx).await.unwrap(), 1);
    let ticket = house.ticket(1).await;
    assert_eq!(ticket.state, TicketState::Open);
    let channels = house.ticket_channels();
    assert_eq!(channels.len(), 1);
    assert_eq!(ticket.channel, Some(channels[0].id));
    house.leave().await;
}

#[tokio::test]
async fn an_opening_that_discord_fails_again_is_tried_again_soon() {
    let house = House::furnished().await;
    left_opening(&house).await;
    house.fail("POST", CREATE_CHANNEL, RestFault::Refuse(503, 0));
    assert_eq!(pass(&house.cx).await.unwrap(), 1);
    let ticket = house.ticket(1).await;
    assert_eq!(ticket.state, TicketState::Opening);
    let pause = ticket.leased_until.unwrap() - OffsetDateTime::now_utc();
    assert!(pause < time::Duration::seconds(6), "{pause}");
    house.leave().await;
}

#[tokio::test]
async fn of_two_channels_made_for_one_ticket_one_stays() {
    let house = House::furnished().await;
    house.fail("POST", CREATE_CHANNEL, RestFault::FailAfterEffect);
    house.open_as(house.seed.member).await;
    let made = house.ticket_channels().pop().unwrap();
    let guild = house.seed.guild;
    house.sim.write(|state| {
        let copy = state.add_channel(guild, made.kind, &made.name, made.parent_id);
        let copy = state.channels.get_mut(&copy).unwrap();
        copy.topic = made.topic.clone();
        copy.overwrites = made.overwrites.clone();
    });
    house.end_lease(1).await;
    pass(&house.cx).await.unwrap();
    assert_eq!(house.ticket_channels().len(), 1);
    assert_eq!(house.ticket(1).await.channel, Some(made.id));
    house.leave().await;
}

#[tokio::test]
async fn a_welcome_whose_answer_was_lost_is_not_sent_twice() {
    let house = House::furnished().await;
    house.fail("POST", CREATE_MESSAGE, RestFault::FailAfterEffect);
    house.open_as(house.seed.member).await;
    assert_eq!(house.ticket(1).await.state, TicketState::Opening);
    house.end_lease(1).await;
    pass(&house.cx).await.unwrap();
    let ticket = house.ticket(1).await;
    let messages = house.messages(ticket.channel.unwrap());
    assert_eq!(messages.len(), 1);
    assert_eq!(ticket.welcome_message, Some(messages[0].id));
    house.leave().await;
}

#[tokio::test]
async fn an_opening_in_a_guild_that_is_gone_is_given_up() {
    let house = House::furnished().await;
    left_opening(&house).await;
    house.fail("GET", CREATE_CHANNEL, RestFault::Refuse(404, 10004));
    pass(&house.cx).await.unwrap();
    assert_eq!(house.ticket(1).await.state, TicketState::Abandoned);
    house.leave().await;
}

#[tokio::test]
async fn a_closing_goes_on_behind_its_last_step() {
    let steps = [CloseStep::Begun, CloseStep::Locked, CloseStep::Swept, CloseStep::Archived, CloseStep::Removed];
    for last in steps {
        let house = House::furnished().await;
        let key = house.opened().await.key;
        let db = &house.cx.db;
        let (by, lease) = (Some(house.seed.staff), Duration::ZERO);
        db.tickets().begin_closing(key, by, Some("crashed"), lease, None).await.unwrap();
        if last != CloseStep::Begun {
            db.tickets().set_close_step(key, CloseStep::Begun, last, lease).await.unwrap().unwrap();
        }
        assert_eq!(pass(&house.cx).await.unwrap(), 1);
        assert_eq!(house.ticket(1).await.state, TicketState::Closed, "{last}");
        // What a later step marks as done is not done again.
        let expected = usize::from(last < CloseStep::Archived);
        assert_eq!(house.transcripts().await.len(), expected, "{last}");
        assert_eq!(house.ticket_channels().len(), usize::from(last == CloseStep::Removed), "{last}");
        house.leave().await;
    }
}

#[tokio::test]
async fn a_transcript_whose_answer_was_lost_is_not_posted_twice() {
    let house = House::furnished().await;
    let channel = house.opened().await.channel.unwrap();
    house.fail("POST", CREATE_MESSAGE, RestFault::FailAfterEffect);
    house.command(house.seed.staff, channel, "close", serde_json::json!([])).await;
    house.cx.tasks.close();
    house.cx.tasks.wait().await;
    assert_eq!(house.ticket(1).await.close_step, Some(CloseStep::Swept));
    // A busy channel hides the notice from a look at its newest messages.
    let transcripts = house.settings().await.transcript_channel.unwrap();
    house.sim.write(|state| {
        for number in 0..120 {
            state.say(transcripts, house.seed.admin, &format!("line {number}"));
        }
    });
    house.end_lease(1).await;
    pass(&house.cx).await.unwrap();
    assert_eq!(house.ticket(1).await.state, TicketState::Closed);
    let notices = house.transcripts().await.into_iter().filter(|(message, _)| !message.embeds.is_empty());
    assert_eq!(notices.count(), 1);
    house.leave().await;
}

#[tokio::test]
async fn an_opening_under_a_refused_token_is_put_off() {
    for template in [CREATE_CHANNEL, CREATE_MESSAGE] {
        let house = House::furnished().await;
        house.fail("POST", template, RestFault::Refuse(401, 0));
        let answer = house.open_as(house.seed.member).await;
        assert!(answer.contains("will appear"), "{answer}");
        let ticket = house.ticket(1).await;
        assert_eq!(ticket.state, TicketState::Opening, "{template}");
        assert_eq!(ticket.channel.is_some(), template == CREATE_MESSAGE, "a channel is noted as soon as it is there");
        // With the dead token nothing is given up either.
        house.end_lease(1).await;
        pass(&house.cx).await.unwrap();
        assert_eq!(house.ticket(1).await.state, TicketState::Opening, "{template}");
        house.end_lease(1).await;
        pass(&house.restarted()).await.unwrap();
        assert_eq!(house.ticket(1).await.state, TicketState::Open, "{template}");
        assert_eq!(house.ticket_channels().len(), 1, "{template}");
        house.leave().await;
    }
}

#[tokio::test]
async fn a_slow_ticket_holds_up_no_other() {
    let house = House::furnished().await;
    left_opening(&house).await;
    house.fail("GET", CREATE_CHANNEL, RestFault::Delay(Duration::from_secs(5)));
    let service = Service::unattended("worker");
    let running = tokio::spawn(run(house.cx.clone(), service.clone()));
    house.sim.wait_for("the slow ticket under way", |state| state.rest_faults.is_empty().then_some(())).await;
    left_by(&house, house.seed.other_member).await;
    house.cx.wake.notify_one();
    house.ticket_in(2, TicketState::Open).await;
    assert_eq!(house.ticket(1).await.state, TicketState::Opening);
    service.stop();
    running.await.unwrap().unwrap();
    house.leave().await;
}
