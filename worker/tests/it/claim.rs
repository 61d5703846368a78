use crate::house::House;

#[tokio::test]
async fn of_two_who_claim_one_wins_and_the_button_shows_it() {
    let house = House::furnished().await;
    let seed = house.seed;
    let role = house.settings().await.staff_role.unwrap();
    house.sim.write(|state| state.give_role(seed.guild, seed.other_member, role));
    let ticket = house.opened().await;
    let channel = ticket.channel.unwrap();
    let (one, other) = tokio::join!(
        house.press_for_text(seed.staff, channel, "t1:claim:1"),
        house.press_for_text(seed.other_member, channel, "t1:claim:1"),
    );
    let winner = house.ticket(1).await.claimed_by.unwrap();
    let (won, lost) = if winner == seed.staff { (one, other) } else { (other, one) };
    assert_eq!(won, "This ticket is yours.");
    assert_eq!(lost, format!("<@{winner}> has this ticket already."));

    let messages = house.messages(channel);
    let notices: Vec<_> = messages.iter().filter(|message| message.content.contains("takes care")).collect();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].content, format!("<@{winner}> takes care of this ticket."));
    assert!(notices[0].mentions.is_empty(), "nobody is pinged");
    let button = &messages[0].components[0]["components"][1];
    assert_eq!((&button["label"], &button["disabled"]), (&"Claimed".into(), &true.into()));
    house.leave().await;
}

#[tokio::test]
async fn claiming_again_changes_nothing() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    for _ in 0..2 {
        let answer = house.command(seed.staff, channel, "claim", serde_json::json!([])).await;
        assert_eq!(answer.content, "This ticket is yours.");
    }
    assert_eq!(house.messages(channel).len(), 2, "welcome and one notice");
    house.leave().await;
}

#[tokio::test]
async fn members_do_not_claim() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    let answer = house.press_for_text(seed.member, channel, "t1:claim:1").await;
    assert_eq!(answer, "Only the support staff can do this.");
    assert_eq!(house.ticket(1).await.claimed_by, None);
    house.leave().await;
}
