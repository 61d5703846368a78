# What people read, in English: the base language, which has every text.
# `{ $name }` stands for a value; it is put in as it is.

## Refusals and failures

refused-unknown = I do not know this any more. Please use the commands or a newer panel.
refused-button-unknown = I do not know this button any more. Please use a newer one.
refused-button-elsewhere = This button belongs to a ticket that is not in this channel.
refused-panel-gone = This panel was deleted. Please use another one.
refused-outside-guild = This works only in a server.
refused-staff-only = Only the support staff can do this.
refused-admin-only = Only administrators of this server can do this.
refused-not-a-ticket = This channel is not a ticket. Please use this command in the channel of a ticket.
refused-ticket-not-open = This ticket is not open any more.
refused-permissions = I cannot do this here, because I lack: **{ $missing }**. Please ask an administrator of this server to give my role that.
refused-permissions-unclear =
    Discord does not let me do this. I need: { $needed }.
    Please ask an administrator to check my role, and whether a channel or category takes one of these away.
internal-error = Something went wrong on our side, sorry. Please try again; if it stays, tell the operator this number: `{ $id }`
late-press-again = That took too long. Please press again.

## Commands

setup-description = Make all that tickets need: staff role, category, transcript channel and a panel here
setup-preset-description = What the panel is for
setup-preset-unknown = I do not know this preset. Please choose one of the list.
open-description = Open a ticket
open-subject-description = What it is about
close-description = Close this ticket
close-reason-description = Why it is closed
claim-description = Take care of this ticket

## Opening

open-done = Ticket opened: { $channel }
open-not-set-up = Tickets are not set up in this server yet. Please ask an administrator to use **/setup**.
open-limit = You have { $count } open already, and more are not allowed: { $tickets }. Please go on there, or close it first.
open-limit-being-made = Your ticket is being made. Please wait a moment.
open-put-off = Discord is slow just now. Your ticket will appear in a minute or two; you need not press again.
open-guild-full = This server has as many channels as Discord allows. Please ask the staff to delete some, then try again.
open-channel-deleted = The channel of your ticket was deleted. Please open another one.
open-refused = Discord refused to make a channel for your ticket. Please tell the staff of this server.
open-closed-since = That ticket was closed already. Please open another one.

channel-topic = Ticket { $number } of { $opener }
welcome-content = { $opener }, your ticket is open.
welcome-title = Ticket { $number }
welcome-body = Please write here what it is about. The staff will answer as soon as they can.
welcome-subject = Subject

## Claiming

claim-label = Claim
claimed-label = Claimed
claim-done = This ticket is yours.
claim-notice = { $by } takes care of this ticket.
claim-taken = { $by } has this ticket already.

## Closing

close-label = Close
close-question = Close this ticket? Its channel will be deleted; the transcript stays.
close-yes-label = Close ticket
close-with-reason-label = Close with reason
close-no-label = Cancel
close-cancelled = The ticket stays open.
close-begun = Closing ticket…
close-already = This ticket is being closed already.
close-still-opening = This ticket is still being made. Please try again in a moment.
close-not-yours = Only whoever opened this ticket, and the staff, can close it.
close-form-title = Close ticket
close-form-label = Reason
close-form-placeholder = Solved
close-channel-deleted = channel deleted by hand
close-held-up =
    This ticket is closed, but its channel is still here: I may not { $what }.
    { $why }
    I will try again for a day.
close-held-up-read = read it to its end
close-held-up-delete = delete it
close-given-up = Ticket { $number } is closed, but I may not delete its channel { $channel }. Please delete it yourself.

## Transcript and notice

transcript-ticket = Ticket
transcript-opener = Opened by
transcript-claimer = Claimed by
transcript-closer = Closed by
transcript-opened = Opened
transcript-closed = Closed
transcript-reason = Reason
transcript-messages = Messages
transcript-bot = bot
transcript-edited = edited { $at }
transcript-deleted = deleted { $at }
transcript-reply = in answer to { $to }
transcript-file = file: { $name } ({ $size } bytes) { $url }
transcript-embed = embed: { $embed }
transcript-left-out = … and { $count } messages more, too many for this place. They are in the database of whoever runs this bot.
transcript-unposted =
    The ticket { $number } that you closed has left no transcript: I cannot post it in { $channel }.
    Its messages are in the database of whoever runs this bot. Please ask an administrator of the server to use /setup again.
nobody = nobody
notice-title = Ticket { $number } closed
notice-late-title = Ticket { $number }: written after the transcript

## Setup

staff-role-name = Support
category-name = Tickets
transcript-channel-name = ticket-transcripts
transcript-channel-topic = Notices and transcripts of closed tickets
panel-button = Open ticket

setup-done =
    Tickets work in this server now.
    { $lines }

    Next: Give { $role } to the people who answer tickets. To try it yourself, press the button of the panel.
setup-made = made: { $what } { $id }
setup-reused = reused: { $what } { $id }
setup-role = staff role
setup-category = ticket category
setup-transcripts = transcript channel
setup-panel = panel
setup-guild-full = This server has as many channels or roles as Discord allows. Please delete one, then use the command again.
setup-running = Another /setup is at work in this server. Please wait for its answer; if none comes within a minute, use the command again.
setup-changed-since = Everything was made, and some of it was changed since. Please use the command again to make what is missing.
setup-later = Discord does not answer as it should. What is made already is kept: please use the command again in a minute.

preset-support = General support
preset-support-title = Support
preset-support-body = Do you need help? Open a ticket, and the staff will answer you in a channel of your own.
preset-report = Report a member
preset-report-title = Report a member
preset-report-body = Did somebody break the rules? Open a ticket and tell the staff; nobody else will see it.
preset-application = Application
preset-application-title = Apply
preset-application-body = Do you want to join the team? Open a ticket and tell us about yourself.
preset-bug = Bug report
preset-bug-title = Report a bug
preset-bug-body = Did you find a bug? Open a ticket and tell us what you did, what happened, and what you expected.
