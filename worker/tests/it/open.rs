use discord_sim::{RestFault, state::kind};
use model::TicketState;
use serde_json::json;
use twilight_model::guild::Permissions;
use worker::{dispatch::dispatch, interaction::Interaction, reply::Reply};

use crate::{
    house::{House, option},
    reconcile::left_opening,
};

const CREATE_CHANNEL: &str = "/guilds/{guild_id}/channels";

#[tokio::test]
async fn the_panel_opens_a_channel_for_opener_and_staff_alone() {
    let house = House::furnished().await;
    let seed = house.seed;
    let before = house.sim.read(|state| state.ledger.requests.len());
    let answer = house.open_as(seed.member).await;
    let requests = house.sim.read(|state| state.ledger.requests.len()) - before;

    let ticket = house.ticket(1).await;
    let channel = ticket.channel.unwrap();
    assert_eq!(ticket.state, TicketState::Open);
    assert_eq!(answer, format!("Ticket opened: <#{channel}>"));
    assert_eq!(requests, 2, "channel and welcome");
    let category = house.settings().await.category;
    house.sim.read(|state| {
        let found = &state.channels[&channel];
        assert_eq!(found.name, "ticket-0001");
        assert_eq!(found.parent_id, category);
        for (user, sees) in [(seed.member, true), (seed.staff, true), (seed.other_member, false)] {
            assert_eq!(state.can_view(found, user), sees);
        }
        let may = state.channel_permissions(found, seed.member);
        assert!(may.contains(Permissions::SEND_MESSAGES | Permissions::ATTACH_FILES));
        assert!(!may.contains(Permissions::MANAGE_MESSAGES));
        assert!(state.channel_permissions(found, seed.staff).contains(Permissions::MANAGE_MESSAGES));
    });
    let welcome = house.messages(channel).pop().unwrap();
    assert_eq!(ticket.welcome_message, Some(welcome.id));
    assert_eq!(welcome.mentions, [seed.member]);
    assert_eq!(welcome.components[0]["components"][0]["custom_id"], "t1:close:1");
    assert_eq!(welcome.components[0]["components"][1]["custom_id"], "t1:claim:1");
    house.leave().await;
}

#[tokio::test]
async fn at_the_limit_the_open_tickets_are_named() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    let answer = house.open_as(seed.member).await;
    assert!(answer.contains(&format!("<#{channel}>")), "{answer}");
    assert!(answer.starts_with("You have 1 open already"), "{answer}");
    assert_eq!(house.ticket_channels().len(), 1);
    assert!(house.open_as(seed.other_member).await.starts_with("Ticket opened"));
    assert_eq!(house.ticket(2).await.opener, seed.other_member);
    house.leave().await;
}

#[tokio::test]
async fn a_channel_whose_deletion_nobody_told_does_not_shut_its_opener_out() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    house.sim.write(|state| state.remove_channel(channel));
    let answer = house.open_as(seed.member).await;
    assert!(answer.starts_with("Ticket opened"), "{answer}");
    let lost = house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(lost.close_reason.as_deref(), Some("channel deleted by hand"));
    assert_eq!(house.ticket(2).await.state, TicketState::Open);
    house.leave().await;
}

#[tokio::test]
async fn who_presses_again_while_the_ticket_opens_costs_discord_no_question() {
    let house = House::furnished().await;
    left_opening(&house).await;
    let listed = |house: &House| {
        house.sim.read(|state| {
            let requests = state.ledger.requests.iter();
            requests.filter(|request| request.method == "GET" && request.path.ends_with("/channels")).count()
        })
    };
    let before = listed(&house);
    let answer = house.open_as(house.seed.member).await;
    assert!(answer.starts_with("Your ticket is being made"), "{answer}");
    assert_eq!(listed(&house), before);
    house.leave().await;
}

#[tokio::test]
async fn a_click_that_comes_twice_gives_one_ticket_and_one_link() {
    let house = House::furnished().await;
    let seed = house.seed;
    // Nobody answers for the bot: the test itself carries the click in, twice at once.
    house.set_endpoint(None);
    let id = house.click(seed.member, seed.support, "t1:open:1");
    let payload = house.sim.read(|state| state.interactions[&id].payload.to_string());
    house.fail("POST", CREATE_CHANNEL, RestFault::Delay(std::time::Duration::from_millis(300)));
    let click = Interaction::parse(payload.as_bytes()).unwrap();
    let (one, other) = tokio::join!(dispatch(&house.cx, &click, "test"), dispatch(&house.cx, &click, "test"));
    assert_eq!(one, other);
    let Reply::Message(message) = one else { panic!("{one:?}") };
    assert!(message.content.starts_with("Ticket opened"), "{}", message.content);
    assert_eq!(house.ticket_channels().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn of_two_clicks_that_race_on_a_limit_of_one_one_opens() {
    let house = House::furnished().await;
    let seed = house.seed;
    let clicks = [(); 4].map(|()| house.click(seed.member, seed.support, "t1:open:1"));
    let mut opened = 0;
    for click in clicks {
        opened += usize::from(house.sim.response(click).await.content.starts_with("Ticket opened"));
    }
    assert_eq!(opened, 1);
    assert_eq!(house.ticket_channels().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn open_takes_a_subject() {
    let house = House::furnished().await;
    let seed = house.seed;
    let answer = house.command(seed.member, seed.general, "open", option("subject", "lost save")).await;
    assert!(answer.content.starts_with("Ticket opened"), "{}", answer.content);
    let ticket = house.ticket(1).await;
    assert_eq!(ticket.panel, None);
    let welcome = house.messages(ticket.channel.unwrap()).pop().unwrap();
    assert_eq!(welcome.embeds[0]["fields"], json!([{"name": "Subject", "value": "lost save", "inline": false}]));
    house.leave().await;
}

#[tokio::test]
async fn a_full_category_is_left_aside() {
    let house = House::furnished().await;
    let seed = house.seed;
    let category = house.settings().await.category;
    house.sim.write(|state| {
        for number in 0..49 {
            state.add_channel(seed.guild, kind::TEXT, &format!("room-{number}"), category);
        }
    });
    let ticket = house.opened().await;
    house.sim.read(|state| {
        let channel = &state.channels[&ticket.channel.unwrap()];
        assert_eq!(channel.parent_id, None);
        assert!(!state.can_view(channel, seed.other_member));
    });
    house.leave().await;
}

#[tokio::test]
async fn a_category_that_was_deleted_is_left_aside() {
    let house = House::furnished().await;
    let category = house.settings().await.category.unwrap();
    house.sim.write(|state| state.remove_channel(category));
    let ticket = house.opened().await;
    house.sim.read(|state| assert_eq!(state.channels[&ticket.channel.unwrap()].parent_id, None));
    house.leave().await;
}

#[tokio::test]
async fn a_staff_role_that_was_deleted_does_not_stop_an_opening() {
    let house = House::furnished().await;
    let guild = house.seed.guild;
    let role = house.settings().await.staff_role.unwrap();
    house.sim.write(|state| state.guilds.get_mut(&guild).unwrap().roles.remove(&role));
    house.opened().await;
    house.leave().await;
}

#[tokio::test]
async fn a_refusal_of_discord_names_the_cause_and_frees_the_slot() {
    let house = House::furnished().await;
    let seed = house.seed;
    house.fail("POST", CREATE_CHANNEL, RestFault::Refuse(403, 50013));
    let answer = house.open_as(seed.member).await;
    assert!(answer.contains("Manage Channels"), "{answer}");
    assert_eq!(house.ticket(1).await.state, TicketState::Abandoned);
    house.fail("POST", CREATE_CHANNEL, RestFault::Refuse(400, 30013));
    let answer = house.open_as(seed.member).await;
    assert!(answer.contains("as many channels as Discord allows"), "{answer}");
    assert!(house.open_as(seed.member).await.starts_with("Ticket opened"));
    assert_eq!(house.ticket(3).await.state, TicketState::Open);
    house.leave().await;
}

#[tokio::test]
async fn an_abandoned_click_that_comes_again_gets_the_same_refusal() {
    let house = House::furnished().await;
    let seed = house.seed;
    house.set_endpoint(None);
    let id = house.click(seed.member, seed.support, "t1:open:1");
    let payload = house.sim.read(|state| state.interactions[&id].payload.to_string());
    let click = Interaction::parse(payload.as_bytes()).unwrap();
    house.fail("POST", CREATE_CHANNEL, RestFault::Refuse(400, 30013));
    let first = dispatch(&house.cx, &click, "test").await;
    let second = dispatch(&house.cx, &click, "test").await;
    assert_eq!(first, second);
    assert_eq!(house.ticket_channels().len(), 0);
    house.leave().await;
}
