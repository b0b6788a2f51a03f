package slack

import (
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// documented are the errors on the reference pages of chat.postMessage and chat.update, and of
// incoming webhooks.
const documented = `
as_user_not_supported attachment_payload_limit_exceeded cannot_reply_to_message channel_not_found
duplicate_channel_not_found duplicate_message_not_found ekm_access_denied invalid_blocks invalid_blocks_format
invalid_metadata_format invalid_metadata_schema is_archived markdown_text_conflict message_limit_exceeded
messages_tab_disabled metadata_must_be_sent_from_app metadata_too_large msg_blocks_too_long msg_too_long no_text not_in_channel rate_limited
restricted_action restricted_action_non_threadable_channel restricted_action_read_only_channel
restricted_action_thread_locked restricted_action_thread_only_channel slack_connect_blocked_file_type
slack_connect_canvas_sharing_blocked slack_connect_clip_sharing_blocked slack_connect_file_link_sharing_blocked
slack_connect_file_upload_sharing_blocked slack_connect_lists_sharing_blocked team_access_not_granted team_not_found
too_many_attachments too_many_contact_cards access_denied account_inactive deprecated_endpoint enterprise_is_restricted
invalid_auth method_deprecated missing_scope no_permission not_allowed_token_type not_authed org_login_required
token_expired token_revoked two_factor_setup_required accesslimited fatal_error internal_error invalid_arg_name
invalid_arguments invalid_array_arg invalid_charset invalid_form_data invalid_post_type missing_post_type ratelimited
request_timeout service_unavailable team_added_to_org block_mismatch cant_broadcast_message cant_update_message
edit_window_closed external_channel_migrating invalid_attachments is_inactive message_not_found
no_dual_broadcast_content_update update_failed streaming_state_conflict file_not_found
invalid_payload user_not_found channel_is_archived no_service no_team team_disabled action_prohibited
posting_to_general_channel_denied invalid_token rollup_error no_active_hooks`

func TestEveryDocumentedErrorHasAClass(t *testing.T) {
	w := newWorld(t, slacktest.Options{Unpaced: true})
	for _, code := range strings.Fields(documented) {
		if _, known := errorClasses[code]; !known {
			t.Errorf("%s has no class", code)
			continue
		}
		w.srv.ClearFaults()
		w.srv.Inject(slacktest.Fault{Count: -1, Do: slacktest.APIError(code)})
		_, err := w.receiver.Deliver(t.Context(), outbox.Owed{Entry: w.post("a")}, outbox.Receipt{})
		if f := outbox.FailureOf(err); f.Class != errorClasses[code] || f.Reason != code {
			t.Errorf("%s arrives as %v", code, err)
		}
	}
}

func TestErrorsAreClassedByWhatHelps(t *testing.T) {
	for code, want := range map[string]outbox.Class{
		"token_revoked": outbox.Misconfigured, "is_archived": outbox.Misconfigured, "missing_scope": outbox.Misconfigured,
		"ratelimited": outbox.RateLimited, "fatal_error": outbox.Ambiguous, "internal_error": outbox.Ambiguous,
		"invalid_blocks": outbox.Degrade, "message_not_found": outbox.TargetGone, "service_unavailable": outbox.Retry,
		"brand_new_error": outbox.Unknown, "An <!channel> error": outbox.Unknown, "": outbox.Ambiguous,
	} {
		f := codeFailure(code)
		if f.Class != want {
			t.Errorf("%q is %s, want %s", code, f.Class, want)
		}
		if strings.Contains(f.Reason, "<") {
			t.Errorf("foreign text in the reason: %s", f.Reason)
		}
	}
}

func TestForeignTextStaysText(t *testing.T) {
	for in, want := range map[string]string{
		"a & b < c":                 "a &amp; b &lt; c",
		"<!channel>":                "‹!channel&gt;",
		"*bold* _it_ snake_case":    "∗bold∗ ＿it＿ snake_case",
		"two\n lines\t":             "two lines",
		"\u202Eevil\u200b\x00":      "evil",
		"`drop`":                    "ʼdropʼ",
		"zwj \u200d and \ufeff bom": "zwj and bom",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
	for address, want := range map[string]string{
		"https://x.example/a|b>c": "<https://x.example/a%7Cb%3Ec|w>", "javascript:alert(1)": "w", "/relative": "w", "https://": "w",
	} {
		if got := link(address, "w"); got != want {
			t.Errorf("link(%q) = %q, want %q", address, got, want)
		}
	}
}
