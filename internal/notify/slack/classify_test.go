package slack

import (
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
	"github.com/slowburn-sre/slowburn/internal/outbox"
)

// documented are the errors on the reference pages of chat.postMessage and chat.update, and of incoming webhooks.
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
		_, err := w.leg.Deliver(t.Context(), outbox.Owed{Entry: w.post("a")}, outbox.Receipt{})
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

func TestFiguresReadAsPeopleWriteThem(t *testing.T) {
	for got, want := range map[string]string{
		count(1_234_567): "1,235", count(500): "0.5", count(1_000): "1", count(1_234_000): "1,234", count(-2_500): "−2.5", count(9_999_999_000): "9,999,999",
		percent(0.433): "43 %", percent(0.031): "3.1 %", percent(0.00021): "0.02 %", percent(-0.12): "−12 %", percent(1.5): "150 %", percent(0): "0 %",
		times(14.56): "14.6", times(1234.5): "1,235", times(2): "2", times(0.012): "0.01",
		span(90 * time.Second): "2 minutes", span(25 * time.Hour): "1 day 1 hour", span(59 * time.Second): "less than a minute", span(12*24*time.Hour + 3*time.Hour): "12 days",
		span(61 * time.Minute): "1 hour 1 minute", window(time.Hour): "hour", window(5 * time.Minute): "5 minutes",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheObjectiveNeverLooksMetWhenItIsNot(t *testing.T) {
	o := objective(t, "99.9")
	for sli, want := range map[float64]string{0.99899999: "99.899 %", 0.999: "99.9 %", 0.9999999: "99.999 %", 1: "100 %"} {
		if got := goodShare(sli, o); got != want {
			t.Errorf("%v reads %s, want %s", sli, got, want)
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
