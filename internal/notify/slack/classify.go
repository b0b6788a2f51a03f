package slack

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"

	goslack "github.com/slack-go/slack"

	"github.com/slowburn-sre/slowburn/internal/notify"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// errorClasses is every error that Slack documents for chat.postMessage, chat.update and incoming
// webhooks, and what it means for the next attempt. Source: the methods' reference pages and
// docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
var errorClasses = func() map[string]outbox.Class {
	classes := map[string]outbox.Class{}
	for class, codes := range map[outbox.Class][]string{
		outbox.Retry: { // refused before anything was done
			"team_added_to_org", "service_unavailable", "external_channel_migrating", "org_login_required",
			"streaming_state_conflict",
		},
		outbox.RateLimited: {"ratelimited", "rate_limited"},
		outbox.Ambiguous: { // "some aspect of the operation may have succeeded"
			"fatal_error", "internal_error", "request_timeout", "update_failed", "rollup_error", "",
		},
		outbox.Degrade: { // this form of the message is refused; a plainer one may pass
			"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "too_many_attachments",
			"attachment_payload_limit_exceeded", "invalid_attachments", "no_text", "too_many_contact_cards",
			"block_mismatch", "invalid_arguments", "invalid_form_data", "invalid_payload", "markdown_text_conflict",
			"metadata_too_large", "invalid_metadata_format", "invalid_metadata_schema", "metadata_must_be_sent_from_app",
		},
		outbox.TargetGone: {
			"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive", "cannot_reply_to_message",
			"restricted_action_thread_locked", "restricted_action_non_threadable_channel", "thread_not_found",
			"invalid_thread_ts", "cant_broadcast_message", "no_dual_broadcast_content_update",
		},
		outbox.Misconfigured: append([]string{
			"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
			"no_permission", "not_allowed_token_type", "two_factor_setup_required", "team_access_not_granted",
			"accesslimited", "access_denied", "ekm_access_denied", "enterprise_is_restricted", "team_not_found", "as_user_not_supported",
			"deprecated_endpoint", "method_deprecated", "message_limit_exceeded", "messages_tab_disabled",
			"action_prohibited", "no_service", "no_service_id", "no_team", "team_disabled", "invalid_token", "no_active_hooks",
		}, channelErrors...),
		outbox.Permanent: { // mistakes of slowburn's own, or of content that no plainer form cures
			"invalid_arg_name", "invalid_array_arg", "invalid_charset", "invalid_post_type", "missing_post_type",
			"slack_connect_blocked_file_type", "slack_connect_canvas_sharing_blocked", "slack_connect_clip_sharing_blocked",
			"slack_connect_file_link_sharing_blocked", "slack_connect_file_upload_sharing_blocked",
			"slack_connect_lists_sharing_blocked", "file_not_found", "duplicate_message_not_found", "duplicate_channel_not_found",
		},
	} {
		for _, code := range codes {
			classes[code] = class
		}
	}
	return classes
}()

// channelErrors are those that concern one channel; another channel may still take the message.
var channelErrors = []string{
	"channel_not_found", "not_in_channel", "is_archived", "channel_is_archived", "restricted_action",
	"restricted_action_read_only_channel", "restricted_action_thread_only_channel",
	"posting_to_general_channel_denied", "user_not_found",
}

// failureOf sorts an error of the Slack library, of HTTP or of the network. The failure's reason is
// made here, word by word: an error's own text may hold an address or a token.
func failureOf(err error) *outbox.Failure {
	var (
		limited *goslack.RateLimitedError
		status  goslack.StatusCodeError
		api     goslack.SlackErrorResponse
		odd     *strconv.NumError
	)
	switch {
	case err == nil:
		return notify.Fail(outbox.Ambiguous, "an answer without a message")
	case errors.As(err, &limited):
		return &outbox.Failure{Class: outbox.RateLimited, Reason: "ratelimited", After: limited.RetryAfter}
	case errors.As(err, &odd):
		return &outbox.Failure{Class: outbox.RateLimited, Reason: "ratelimited", After: notify.Seconds(odd.Num)}
	case errors.As(err, &status):
		return statusFailure(status.Code)
	case errors.As(err, &api):
		return codeFailure(api.Err)
	}
	return networkFailure(err)
}

var codePattern = regexp.MustCompile(`^[a-z0-9_]{1,60}$`)

func codeFailure(errorCode string) *outbox.Failure {
	class, known := errorClasses[errorCode]
	switch {
	case errorCode == "":
		return notify.Fail(outbox.Ambiguous, "an error without a code")
	case known:
		return notify.Fail(class, errorCode)
	case codePattern.MatchString(errorCode):
		return notify.Fail(outbox.Unknown, errorCode)
	}
	return notify.Fail(outbox.Unknown, "an undocumented error")
}

// statusFailure sorts an HTTP status that is not 200.
func statusFailure(status int) *outbox.Failure {
	reason := "http " + strconv.Itoa(status)
	switch {
	case status == http.StatusTooManyRequests:
		return notify.Fail(outbox.RateLimited, "ratelimited")
	case status >= 500:
		return notify.Fail(outbox.Ambiguous, reason)
	case status == http.StatusRequestEntityTooLarge, status == http.StatusBadRequest:
		return notify.Fail(outbox.Degrade, reason)
	}
	return notify.Fail(outbox.Misconfigured, reason) // a redirect, a proxy's refusal: not Slack at all
}

// networkFailure sorts what went wrong below HTTP, and answers that are no JSON.
func networkFailure(err error) *outbox.Failure {
	var (
		syntax *json.SyntaxError
		typ    *json.UnmarshalTypeError
	)
	if errors.As(err, &syntax) || errors.As(err, &typ) {
		return notify.Fail(outbox.Ambiguous, "unreadable answer")
	}
	return notify.NetworkFailure(err)
}
