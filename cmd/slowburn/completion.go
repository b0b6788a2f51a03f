package main

import (
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" help:"The shell: bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Run prints a script that completes commands, flags and the values of flags that have a fixed
// choice. It is made from the same model that parses the command line, so it knows what this very
// version knows.
func (c *completionCmd) Run(e *env, k *kong.Context) error {
	return completionScripts[c.Shell].Execute(e.out, completions(k.Model.Node, nil))
}

// completion is what may follow after some commands.
type completion struct {
	Path  string // the commands so far, joined by spaces; "" at first
	Words []word // commands and flags
	Names string // what its arguments name, as the command names knows it; "" is nothing
}

// word is a command or a flag.
type word struct {
	Text, Help string
	Short      string // of a flag, "-o"; may be ""
	Flag       bool
	Choice     []string // the values of a flag, if they are a fixed choice
	Value      bool     // the flag takes a value
	Names      string   // what the value names; "" is nothing
}

// completions walks the commands, outermost first. Flags of a command may also be given after its
// subcommands.
func completions(n *kong.Node, inherited []word) []completion {
	flags := slices.Clone(inherited)
	for _, f := range n.Flags {
		if !f.Hidden {
			flags = append(flags, wordOf(f))
		}
	}
	one := completion{Path: pathOf(n), Names: argumentNames(n)}
	var below []completion
	for _, child := range n.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			one.Words = append(one.Words, word{Text: child.Name, Help: firstSentence(child.Help)})
			below = append(below, completions(child, flags)...)
		}
	}
	if n.DefaultCmd != nil { // what it takes may follow at once
		for _, f := range n.DefaultCmd.Flags {
			one.Words = append(one.Words, wordOf(f))
		}
		one.Names = argumentNames(n.DefaultCmd)
	}
	one.Words = append(one.Words, flags...)
	return append([]completion{one}, below...)
}

// argumentNames returns what the first argument that names something names.
func argumentNames(n *kong.Node) string {
	for _, p := range n.Positional {
		if names := p.Tag.Get("names"); names != "" {
			return names
		}
	}
	return ""
}

func wordOf(f *kong.Flag) word {
	w := word{Text: "--" + f.Name, Help: firstSentence(f.Help), Flag: true, Value: !f.IsBool(), Names: f.Tag.Get("names")}
	if f.Short != 0 {
		w.Short = "-" + string(f.Short)
	}
	if f.Enum != "" {
		w.Choice = choices(f.Value)
	}
	return w
}

// pathOf returns the names of the commands down to n, without the program's.
func pathOf(n *kong.Node) string {
	if n.Type == kong.ApplicationNode {
		return ""
	}
	return strings.TrimSpace(pathOf(n.Parent) + " " + n.Name)
}

// firstSentence keeps a help text on one line and free of what shells would read as theirs.
func firstSentence(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.NewReplacer("'", "’", "[", "(", "]", ")", "\n", " ", `\`, "").Replace(strings.TrimSuffix(first, "."))
}

// completionScripts are the scripts by shell. Each asks which commands stand on the line so far,
// and offers what may follow them. Names of SLOs and incidents come from the daemon, from whatever
// labels have: no shell may take them for anything but text.
var completionScripts = map[string]*template.Template{
	"bash": script("# For bash. Put it into ~/.bashrc: source <(slowburn completion bash)\n" + bashCompletion),
	"zsh": script("# For zsh. Put it into ~/.zshrc: source <(slowburn completion zsh)\n" +
		"autoload -U +X bashcompinit && bashcompinit\n" + bashCompletion),
	"fish": script(`# For fish. Put it into ~/.config/fish/completions/slowburn.fish
{{range $c := .}}{{range .Words}}complete -c slowburn -n '{{condition $c.Path}}' {{if .Short}}-s {{slice .Short 1}} {{end}}{{if .Flag}}-l {{slice .Text 2}}{{if .Choice}} -xa '{{join .Choice}}'{{else if .Names}} -xa '(slowburn names {{.Names}} 2>/dev/null)'{{else if .Value}} -r{{end}}{{else}}-fa {{.Text}}{{end}} -d '{{.Help}}'
{{end}}{{if .Names}}complete -c slowburn -n '{{condition .Path}}' -fa '(slowburn names {{.Names}} 2>/dev/null)'
{{end}}{{end}}`),
}

const bashCompletion = `_slowburn_names() {
	local line="${COMP_LINE:0:COMP_POINT}" cur="${COMP_WORDS[COMP_CWORD]}" name word typed
	[[ $cur == = ]] && cur=""
	word="${line##* }" typed="${line##* }"
	typed="${typed#--*=}" typed="${typed//\\/}"
	while IFS= read -r name; do
		[[ "$name" == "$typed"* ]] || continue
		name="$(printf %q "$name")"
		COMPREPLY+=("${name#"${word%"$cur"}"}")
	done < <(slowburn names "$1" 2>/dev/null)
}
_slowburn() {
	local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" path="" w
	[[ $cur == = ]] && cur=""
	[[ $prev == = ]] && prev="${COMP_WORDS[COMP_CWORD-2]}"
	for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "${path:+$path }$w" in {{range .}}{{if .Path}}"{{.Path}}"|{{end}}{{end}}"") path="${path:+$path }$w" ;; esac
	done
	case "$path $prev" in
{{range $c := .}}{{range .Words}}{{if .Choice}}	"{{$c.Path}} {{.Text}}"{{if .Short}}|"{{$c.Path}} {{.Short}}"{{end}}) COMPREPLY=($(compgen -W "{{join .Choice}}" -- "$cur")); return ;;
{{end}}{{if .Names}}	"{{$c.Path}} {{.Text}}") COMPREPLY=(); _slowburn_names {{.Names}}; return ;;
{{end}}{{end}}{{end}}	esac
	case "$path" in
{{range .}}	"{{.Path}}") COMPREPLY=($(compgen -W "{{range .Words}}{{.Text}} {{end}}" -- "$cur")){{if .Names}}; [[ $cur == -* ]] || _slowburn_names {{.Names}}{{end}} ;;
{{end}}	esac
}
complete -o default -F _slowburn slowburn
`

func script(text string) *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"join": func(all []string) string { return strings.Join(all, " ") },
		"condition": func(path string) string {
			if path == "" {
				return "__fish_use_subcommand"
			}
			return "__fish_seen_subcommand_from " + strings.ReplaceAll(path, " ", "; and __fish_seen_subcommand_from ")
		},
	}).Parse(text))
}
