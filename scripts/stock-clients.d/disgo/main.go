// disgo against the simulator: by the gateway first, then by a signed HTTP endpoint of its own.
//
// Reads DISCORD_API_URL and DISCORD_TOKEN.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/httpserver"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"
)

const patience = 10 * time.Second

var (
	api    = os.Getenv("DISCORD_API_URL")
	origin = strings.Split(api, "/api/")[0]
	failed = false
)

// check runs one check and prints one line about it; the next ones run in any case.
func check(name string, run func() error) {
	if err := run(); err != nil {
		failed = true
		fmt.Printf("FAIL  %s: %v\n", name, err)
		return
	}
	fmt.Printf("ok    %s\n", name)
}

func same(what string, found, wanted any) error {
	if !reflect.DeepEqual(found, wanted) {
		return fmt.Errorf("%s is %v, not %v", what, found, wanted)
	}
	return nil
}

func within[T any](what string, channel <-chan T) (T, error) {
	select {
	case value := <-channel:
		return value, nil
	case <-time.After(patience):
		var none T
		return none, errors.New("waited in vain for " + what)
	}
}

func until(what string, holds func() bool) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return nil
		}
	}
	return errors.New("waited in vain for " + what)
}

// call speaks JSON with the simulator, as a person when a token is given.
func call(method, url, token string, body, answer any) error {
	var reader io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, url, reader)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, url, response.StatusCode, content)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(content, answer)
}

type person struct {
	ID       snowflake.ID `json:"id"`
	Username string       `json:"username"`
	Token    string       `json:"token"`
}

func (p person) interact(kind int, application, guild, channel snowflake.ID, message *snowflake.ID, data map[string]any) error {
	wish := map[string]any{"type": kind, "application_id": application, "guild_id": guild, "channel_id": channel, "data": data}
	if message != nil {
		wish["message_id"] = *message
	}
	return call(http.MethodPost, api+"/interactions", p.Token, wish, nil)
}

// sees waits until a message with this text stands in the channel as the person reads it.
func (p person) sees(channel snowflake.ID, text string) error {
	return until("the message "+text, func() bool {
		var messages []struct{ Content string }
		if call(http.MethodGet, fmt.Sprintf("%s/channels/%s/messages", api, channel), p.Token, nil, &messages) != nil {
			return false
		}
		for _, message := range messages {
			if message.Content == text {
				return true
			}
		}
		return false
	})
}

func (p person) say(channel snowflake.ID, text string) error {
	url := fmt.Sprintf("%s/channels/%s/messages", api, channel)
	return call(http.MethodPost, url, p.Token, map[string]any{"content": text}, nil)
}

// hears waits until the bot is told of a message with this text.
func hears(created <-chan *events.MessageCreate, text string) error {
	for {
		heard, err := within("the message "+text, created)
		if err != nil || heard.Message.Content == text {
			return err
		}
	}
}

type ledger struct {
	Violations         []string         `json:"violations"`
	FailedInteractions []map[string]any `json:"failed_interactions"`
	Resumes            int              `json:"resumes"`
}

func readLedger() (ledger, error) {
	var found ledger
	err := call(http.MethodGet, origin+"/_sim/ledger", "", nil, &found)
	return found, err
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	// disgo binds by an address, so the port is only found here.
	address := listener.Addr().String()
	_ = listener.Close()

	plain := rest.NewClient(os.Getenv("DISCORD_TOKEN"), rest.WithURL(api), rest.WithUserAgent("DiscordBot (https://github.com/disgoorg/disgo, check)"))
	application, err := rest.New(plain).GetCurrentApplication()
	if err != nil {
		panic(err)
	}

	ready, guilds := make(chan *events.Ready, 8), make(chan *events.GuildReady, 8)
	created := make(chan *events.MessageCreate, 64)
	client, err := disgo.New(os.Getenv("DISCORD_TOKEN"),
		bot.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
		bot.WithRestClientConfigOpts(rest.WithURL(api)),
		bot.WithGatewayConfigOpts(gateway.WithIntents(gateway.IntentGuilds, gateway.IntentGuildMessages, gateway.IntentMessageContent)),
		bot.WithHTTPServerConfigOpts(application.VerifyKey, httpserver.WithAddress(address), httpserver.WithURL("/interactions")),
		bot.WithEventListenerChan(ready), bot.WithEventListenerChan(guilds), bot.WithEventListenerChan(created),
		bot.WithEventListenerFunc(func(event *events.ApplicationCommandInteractionCreate) {
			text := event.SlashCommandInteractionData().String("text")
			_ = event.CreateMessage(discord.NewMessageCreateBuilder().SetContent("You said " + text).Build())
		}),
		bot.WithEventListenerFunc(func(event *events.ComponentInteractionCreate) {
			_ = event.UpdateMessage(discord.NewMessageUpdateBuilder().SetContent("Pressed " + event.Data.CustomID()).Build())
		}),
	)
	if err != nil {
		panic(err)
	}
	var mia person
	var guild discord.Guild
	var general snowflake.ID

	check("logs in over the gateway and sees its guild", func() error {
		if err := client.OpenGateway(context.Background()); err != nil {
			return err
		}
		if _, err := within("READY", ready); err != nil {
			return err
		}
		came, err := within("the guild", guilds)
		if err != nil {
			return err
		}
		guild = came.Guild
		channels, err := client.Rest().GetGuildChannels(guild.ID)
		if err != nil {
			return err
		}
		for _, channel := range channels {
			if channel.Name() == "general" {
				general = channel.ID()
			}
		}
		var people []person
		if err := call(http.MethodGet, origin+"/_sim/people", "", nil, &people); err != nil {
			return err
		}
		for _, one := range people {
			if one.Username == "mia" {
				mia = one
			}
		}
		return same("name", guild.Name, "Moonlight Games")
	})

	var command snowflake.ID
	check("registers a slash command", func() error {
		definition := discord.SlashCommandCreate{
			Name: "say", Description: "Says it",
			Options: []discord.ApplicationCommandOption{
				discord.ApplicationCommandOptionString{Name: "text", Description: "What", Required: true},
			},
		}
		registered, err := client.Rest().SetGlobalCommands(client.ApplicationID(), []discord.ApplicationCommandCreate{definition})
		if err != nil {
			return err
		}
		command = registered[0].ID()
		return same("commands", len(registered), 1)
	})

	say := func(text string) error {
		option := map[string]any{"name": "text", "type": 3, "value": text}
		data := map[string]any{"id": command, "name": "say", "type": 1, "options": []any{option}}
		if err := mia.interact(2, client.ApplicationID(), guild.ID, general, nil, data); err != nil {
			return err
		}
		return mia.sees(general, "You said "+text)
	}
	press := func() error {
		panel, err := client.Rest().CreateMessage(general, discord.NewMessageCreateBuilder().
			SetContent("Panel").AddActionRow(discord.NewPrimaryButton("Press", "press")).Build())
		if err != nil {
			return err
		}
		data := map[string]any{"component_type": 2, "custom_id": "press"}
		if err := mia.interact(3, client.ApplicationID(), guild.ID, general, &panel.ID, data); err != nil {
			return err
		}
		if err := mia.sees(general, "Pressed press"); err != nil {
			return err
		}
		return client.Rest().DeleteMessage(general, panel.ID)
	}
	check("answers a slash command by the gateway", func() error { return say("hello") })
	check("updates a message when its button is pressed", press)

	check("hears messages, creates a channel and deletes it", func() error {
		if err := mia.say(general, "Anyone here?"); err != nil {
			return err
		}
		if err := hears(created, "Anyone here?"); err != nil {
			return err
		}
		channel, err := client.Rest().CreateGuildChannel(guild.ID, discord.GuildTextChannelCreate{Name: "Ticket 1"})
		if err != nil {
			return err
		}
		if err := same("name", channel.Name(), "ticket-1"); err != nil {
			return err
		}
		return client.Rest().DeleteChannel(channel.ID())
	})

	check("resumes after the server ends the connection, and misses nothing", func() error {
		before, err := readLedger()
		if err != nil {
			return err
		}
		if err := call(http.MethodPost, origin+"/_sim/gateway", "", map[string]any{"do": "close", "code": 4000}, nil); err != nil {
			return err
		}
		if err := mia.say(general, "While you were away"); err != nil {
			return err
		}
		if err := hears(created, "While you were away"); err != nil {
			return err
		}
		after, err := readLedger()
		if err != nil {
			return err
		}
		return same("resumes", after.Resumes, before.Resumes+1)
	})

	check("is taken as an endpoint: answers a PING and refuses a forged one", func() error {
		if err := client.OpenHTTPServer(); err != nil {
			return err
		}
		if err := until("the endpoint", func() bool {
			connection, err := net.Dial("tcp", address)
			if err == nil {
				_ = connection.Close()
			}
			return err == nil
		}); err != nil {
			return err
		}
		url := "http://" + address + "/interactions"
		changed, err := client.Rest().UpdateCurrentApplication(discord.ApplicationUpdate{InteractionsEndpointURL: &url})
		if err != nil {
			return err
		}
		return same("endpoint", *changed.InteractionsEndpointURL, url)
	})
	check("answers a slash command by signed HTTP", func() error { return say("by http") })
	check("updates a message by signed HTTP", press)

	check("broke no rule of Discord's", func() error {
		found, err := readLedger()
		if err != nil {
			return err
		}
		if err := same("violations", found.Violations, []string{}); err != nil {
			return err
		}
		return same("failed interactions", len(found.FailedInteractions), 0)
	})

	client.Close(context.Background())
	if failed {
		os.Exit(1)
	}
}
