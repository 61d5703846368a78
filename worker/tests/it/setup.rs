use discord_sim::state::kind;
use serde_json::json;
use twilight_model::guild::Permissions;

use crate::house::{House, option};

#[tokio::test]
async fn setup_makes_role_category_transcript_channel_and_a_working_panel() {
    let house = House::new().await;
    let seed = house.seed;
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(answer.only_for, Some(seed.admin));
    assert_eq!(answer.content.matches("made: ").count(), 4, "{}", answer.content);

    let settings = house.settings().await;
    let (role, category) = (settings.staff_role.unwrap(), settings.category.unwrap());
    let transcripts = settings.transcript_channel.unwrap();
    assert!(answer.content.contains(&format!("Give <@&{role}> to")), "{}", answer.content);
    house.sim.read(|state| {
        assert_eq!(state.guilds[&seed.guild].roles[&role].name, "Support");
        let category = &state.channels[&category];
        assert_eq!((category.kind, category.name.as_str()), (kind::CATEGORY, "Tickets"));
        let transcripts = &state.channels[&transcripts];
        assert_eq!(transcripts.parent_id, Some(category.id));
        for channel in [category, transcripts] {
            assert!(!state.can_view(channel, seed.member));
            assert!(state.can_view(channel, seed.application.cast()));
        }
    });
    let panel = house.messages(seed.support).pop().unwrap();
    assert_eq!(panel.author_id, seed.application.cast());
    assert_eq!(panel.embeds[0]["title"], "Support");
    assert!(house.button(seed.support, "t1:open:1").is_some());

    assert!(house.open_as(seed.member).await.starts_with("Ticket opened: <#"));
    house.leave().await;
}

#[tokio::test]
async fn a_second_setup_makes_nothing_twice() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channels = house.sim.read(|state| state.guild_channels(seed.guild).len());
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert_eq!(answer.content.matches("reused: ").count(), 4, "{}", answer.content);
    assert_eq!(house.sim.read(|state| state.guild_channels(seed.guild).len()), channels);
    assert_eq!(house.messages(seed.support).len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn two_setups_at_once_make_one_of_each() {
    let house = House::new().await;
    let seed = house.seed;
    let (one, other) = tokio::join!(
        house.command(seed.admin, seed.support, "setup", json!([])),
        house.command(seed.admin, seed.support, "setup", json!([])),
    );
    let mut made = [&one, &other].map(|answer| answer.content.matches("made: ").count());
    made.sort_unstable();
    assert_eq!(made, [0, 4], "{}\n{}", one.content, other.content);
    house.leave().await;
}

#[tokio::test]
async fn another_preset_is_another_panel_in_the_same_rooms() {
    let house = House::furnished().await;
    let seed = house.seed;
    let answer = house.command(seed.admin, seed.support, "setup", option("preset", "bug")).await;
    assert_eq!(answer.content.matches("made: ").count(), 1, "{}", answer.content);
    let panel = house.messages(seed.support).pop().unwrap();
    assert_eq!(panel.embeds[0]["title"], "Report a bug");
    assert!(house.button(seed.support, "t1:open:2").is_some());
    house.leave().await;
}

#[tokio::test]
async fn what_was_deleted_is_made_anew_and_a_new_staff_role_is_let_in() {
    let house = House::furnished().await;
    let seed = house.seed;
    let before = house.settings().await;
    let panel = house.button(seed.support, "t1:open:1").unwrap();
    house.sim.write(|state| {
        state.guilds.get_mut(&seed.guild).unwrap().roles.remove(&before.staff_role.unwrap());
        state.remove_message(seed.support, panel);
    });
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.contains("made: staff role"), "{}", answer.content);
    assert!(answer.content.contains("made: panel"), "{}", answer.content);
    assert!(answer.content.contains("reused: ticket category"), "{}", answer.content);
    let role = house.settings().await.staff_role.unwrap();
    house.sim.write(|state| state.give_role(seed.guild, seed.staff, role));
    house.sim.read(|state| {
        assert!(state.can_view(&state.channels[&before.category.unwrap()], seed.staff));
        assert!(state.can_view(&state.channels[&before.transcript_channel.unwrap()], seed.staff));
    });
    house.leave().await;
}

#[tokio::test]
async fn setup_names_the_permission_that_is_missing() {
    let house = House::new().await;
    let seed = house.seed;
    house.sim.write(|state| {
        let bot = seed.application.cast();
        let roles = &mut state.guilds.get_mut(&seed.guild).unwrap().roles;
        let role = roles.values_mut().find(|role| role.bot_id == Some(bot)).unwrap();
        role.permissions.remove(Permissions::MANAGE_CHANNELS);
    });
    let answer = house.command(seed.admin, seed.support, "setup", json!([])).await;
    assert!(answer.content.contains("I lack: **Manage Channels**"), "{}", answer.content);
    // The role was made before that, and the next run uses it.
    assert!(house.settings().await.staff_role.is_some());
    house.leave().await;
}
