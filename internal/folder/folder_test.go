package folder

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree makes a folder with files, and links where a content begins with "-> ".
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func yaml(name string) bool { return filepath.Ext(name) == ".yaml" }

func TestAMountedConfigMapAndACheckoutAreRead(t *testing.T) {
	dir := tree(t, map[string]string{
		"slos/..2026_11_29.1234/shop.yaml": "shop",
		"slos/..data":                      "-> ..2026_11_29.1234",
		"slos/shop.yaml":                   "-> ..data/shop.yaml",
		"slos/.git/hooks/x.yaml":           "x",
		"slos/.github/workflows/ci.yaml":   "ci",
		"slos/.hidden.yaml":                "x",
		"slos/team/pay.yaml":               "pay",
		"slos/README.md":                   "x",
		"current":                          "-> slos",
	})
	for _, name := range []string{"slos", "current"} {
		in, err := Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		names, err := in.Walk(yaml)
		if want := []string{"shop.yaml", "team/pay.yaml"}; err != nil || !slices.Equal(names, want) {
			t.Errorf("%s: walked %q (%v), want %q", name, names, err, want)
		}
		for pattern, want := range map[string][]string{"*.yaml": {"shop.yaml"}, "*/*.yaml": {"team/pay.yaml"}, "..*/shop.yaml": {"..2026_11_29.1234/shop.yaml", "..data/shop.yaml"}} {
			if names, err := in.Match(pattern); err != nil || !slices.Equal(names, want) {
				t.Errorf("%s: %s matches %q (%v), want %q", name, pattern, names, err, want)
			}
		}
		if data, err := in.Read("shop.yaml", 10); err != nil || string(data) != "shop" {
			t.Errorf("%s: read %q, %v", name, data, err)
		}
	}
}

func TestLinksThatLeaveAndWhatIsNoFileAreRefused(t *testing.T) {
	dir := tree(t, map[string]string{
		"secret":             "SECRET",
		"slos/up.yaml":       "-> ../secret",
		"slos/absolute.yaml": "-> /etc/passwd",
		"slos/zero.yaml":     "-> /dev/zero",
		"slos/loop.yaml":     "-> loop.yaml",
		"slos/folder.yaml/x": "x",
		"slos/parent":        "-> ..",
		"slos/long.yaml":     "12345678901",
		"slos/gone.yaml":     "-> nothing",
	})
	in, err := Open(filepath.Join(dir, "slos"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for name, want := range map[string]string{
		"up.yaml": "leads out of its folder", "absolute.yaml": "leads out of its folder", "zero.yaml": "leads out of its folder",
		"parent/secret": "leads out of its folder", "../secret": "leads out of its folder", "loop.yaml": "too many levels",
		"folder.yaml": "is not a regular file", "long.yaml": "is larger than 10 bytes", "gone.yaml": "no such file",
	} {
		data, err := in.Read(name, 10)
		if err == nil || !strings.Contains(err.Error(), want) || len(data) > 0 {
			t.Errorf("%s gave %q and %v, want %q", name, data, err, want)
		}
		if _, err := Read(filepath.Join(dir, "slos", name), 10); err == nil && !strings.Contains(name, "/") {
			t.Errorf("%s was read by its path", name)
		}
	}
	if data, err := ReadOwn(filepath.Join(dir, "slos/up.yaml"), 10); err != nil || string(data) != "SECRET" {
		t.Errorf("the operator's own link gave %q, %v", data, err)
	}
	if _, err := ReadOwn("/dev/zero", 10); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("/dev/zero gave %v", err)
	}
}

func TestSecretsAreReadBounded(t *testing.T) {
	dir := tree(t, map[string]string{"good": " xoxb-1\n", "empty": " \n", "large": strings.Repeat("x", maxSecret+1), "zero": "-> /dev/zero", "link": "-> good"})
	for name, want := range map[string]string{"good": "", "link": "", "empty": "is empty", "large": "is larger than", "zero": "is not a regular file", ".": "is not a regular file", "gone": "no such file"} {
		secret, err := ReadSecret(filepath.Join(dir, name))
		switch {
		case want == "" && (err != nil || secret != "xoxb-1"):
			t.Errorf("%s: read %q, %v", name, secret, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || secret != ""):
			t.Errorf("%s gave %q and %v, want %q", name, secret, err, want)
		}
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	dir := tree(t, map[string]string{"token": "old", "taken/inside": ""})
	if err := Replace(filepath.Join(dir, "token"), 0o640, []byte("new")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "token"))
	info, _ := os.Stat(filepath.Join(dir, "token"))
	if err != nil || string(text) != "new" || info.Mode() != 0o640 {
		t.Errorf("%q, %v, %v", text, info.Mode(), err)
	}
	if err := Replace(filepath.Join(dir, "taken"), 0o600, []byte("new")); err == nil {
		t.Error("a folder was replaced")
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left beside it: %v", left)
	}
}
