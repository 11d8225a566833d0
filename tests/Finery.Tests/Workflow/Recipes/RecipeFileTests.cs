using System.Globalization;
using System.Text;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Recipes;

public sealed class RecipeFileTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string[] Errors(string yaml, params string[] overrides)
    {
        var result = RecipeFile.Parse(yaml.ReplaceLineEndings("\n"), "r.yaml", _folder["run"], overrides, Fake.Schema);
        Assert.Equal(result.Errors.Count > 0, result.Recipe is null);
        return [.. result.Errors.Select(error => error.ToString())];
    }

    private string Good(string settings = "") => $$"""
        name: test
        steps:
          corpus:
            type: read
            file: {{_folder.Write("in.txt", "text\n")}}
          clean:
            type: filter
            documents: corpus
        {{settings}}
        """;

    [Fact]
    public void All_errors_are_reported_at_once_with_line_and_column()
    {
        string[] errors = Errors($$"""
            name: a name
            sede: 3
            seed: minus one
            steps:
              corpus:
                type: read
                file: {{_folder["absent.txt"]}}
              other:
                type: read
                repeat: many
              early:
                type: filter
                documents: late
              clean:
                type: filter
                documents: corpsu
                learning_rat: 1e-4
                shuffle: maybe
                mode: very_slo
                cap: 1.5
                limit: 3 weeks
                shape: {depth: x}
                tags: {a: b}
                filters:
                  - filter: lenght
                  - filter: length
                    min_words: 0
                  - {filter: length, min_words: 9, max_words: 3}
              bad:
                type: filtre
              late:
                type: filter
                documents: early
                learning_rate: 1.01
              missing:
                type: filter
                documents: ./not/there
              counted:
                type: count
                documents: clean.plan.json
              own:
                type: count
                documents: own
              soon:
                type: count
                documents: last.kept
              last:
                type: filter
                documents: clean.kpet
            """);
        Assert.Equal(
            [
                "r.yaml:1:7: 'a name' cannot name a recipe: use letters, digits, - and _, at most 64, beginning with a letter or digit",
                "r.yaml:2:1: a recipe has no 'sede'; it has name, seed, steps (did you mean 'seed'?)",
                "r.yaml:3:7: 'seed' must be a whole number from 0 to 18446744073709551615",
                $"r.yaml:5:3: step 'corpus' reads '{_folder["absent.txt"]}', which does not exist",
                "r.yaml:8:3: step 'other' (read) needs 'file' (text)",
                "r.yaml:10:13: 'repeat' is 'many', expected whole number",
                "r.yaml:13:16: the steps form a cycle: early -> late -> early",
                "r.yaml:16:16: no step 'corpsu' to take documents from (did you mean 'corpus'?)",
                "r.yaml:17:5: step 'clean' (filter) has no setting 'learning_rat' (did you mean 'learning_rate'?)",
                "r.yaml:18:14: 'shuffle' is 'maybe', expected true or false",
                "r.yaml:19:11: 'mode' is 'very_slo', expected one of fast, very_slow (did you mean 'very_slow'?)",
                "r.yaml:20:10: 'cap' is '1.5', expected whole number",
                "r.yaml:21:12: 'limit' is '3 weeks', expected duration such as 90s, 10m or 1h30m",
                "r.yaml:22:12: 'shape' needs 'width' (whole number)",
                "r.yaml:22:20: 'depth' is 'x', expected whole number",
                "r.yaml:23:11: 'tags' is a map, expected list of text",
                "r.yaml:25:17: no filter 'lenght' (did you mean 'length'?)",
                "r.yaml:27:20: 'min_words' is 0, must be at least 1 and at most 1000",
                "r.yaml:28:37: 'min_words': must not be above max_words",
                "r.yaml:30:11: no step type 'filtre' (did you mean 'filter'?)",
                "r.yaml:34:20: 'learning_rate' is 1.01, must be at least 0 and at most 1",
                $"r.yaml:37:16: './not/there' does not exist (looked for {Path.GetFullPath("./not/there")})",
                "r.yaml:40:16: 'clean.plan.json' is plan, expected documents; it writes kept (documents), plan.json (plan)",
                "r.yaml:43:16: step 'own' cannot be its own input",
                "r.yaml:46:16: step 'last' comes later; steps run in the order of the file, so move 'last' above 'soon'",
                "r.yaml:49:16: step 'clean' has no output 'kpet'; it writes kept (documents), plan.json (plan) (did you mean 'clean.kept'?)",
            ],
            errors);
    }

    [Fact]
    public void A_snippet_marks_the_place()
    {
        var error = Assert.Single(RecipeFile.Parse(Good("    learning_rat: 1e-4"), "r.yaml", _folder["run"], [], Fake.Schema)
            .Errors);
        Assert.Equal("    9 |     learning_rat: 1e-4\n      |     ^", error.Snippet);
    }

    [Theory]
    [InlineData("name: a\nname: b\nsteps: {}", "r.yaml:2:1: 'name' is given twice; the first is on line 1")]
    [InlineData("name: a\nsteps:\n\tcorpus: 1\n", "r.yaml:3:1: indented with a tab; YAML is indented with spaces")]
    [InlineData("<<<<<<< ours\nname: a\n=======\nname: b\n>>>>>>> theirs\n",
        "r.yaml:1:1: merge conflict marker: choose one side and remove the markers")]
    [InlineData("name: &x a\nsteps: {}", "r.yaml:1:7: anchors (&) are not supported in recipes; write the value out")]
    [InlineData("name: !!binary a\nsteps: {}", "r.yaml:1:7: tags (!) are not supported in recipes; the setting decides the type")]
    [InlineData("", "r.yaml: is empty; a recipe has 'name', 'seed' and 'steps'")]
    [InlineData("# only a comment\n", "r.yaml: is empty; a recipe has 'name', 'seed' and 'steps'")]
    [InlineData("- a\n", "r.yaml:1:1: a recipe is a map with 'name', 'seed' and 'steps'")]
    [InlineData("name: a\nsteps: [\n", "r.yaml:3:1: not valid YAML")]
    [InlineData("name: a\nsteps: {}\n---\nb: 1\n", "r.yaml:3:1: a second document begins here; a recipe is one document")]
    [InlineData("? [a]\n: b\n", "r.yaml:1:3: a key must be text")]
    [InlineData("name: con\nsteps: {../up: {type: read}}", "r.yaml:1:7: 'con' cannot name a recipe")]
    public void What_is_no_recipe_is_said(string yaml, string first) =>
        Assert.Contains(Errors(yaml), error => error.StartsWith(first, StringComparison.Ordinal));

    [Fact]
    public void Bombs_are_refused()
    {
        Assert.Contains("nested more than 64 levels deep", Errors("a: " + new string('[', 100_000))[0]);
        Assert.Contains("nested more than 64 levels deep", Errors("a: " + string.Concat(Enumerable.Repeat("{b: ", 100_000)))[0]);
        Assert.Contains("too long", Errors("a: " + new string('x', 2_000_000))[0]);
        var aliases = new StringBuilder("a0: &a0 [x]\n");
        for (int i = 1; i < 2000; i++) aliases.Append(CultureInfo.InvariantCulture, $"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n");
        Assert.InRange(Errors(aliases.ToString()).Length, 1, 200);
    }

    [Fact]
    public void Unreadable_files_are_said()
    {
        File.WriteAllBytes(_folder["latin.yaml"], [.. "name: caf"u8, 0xE9, (byte)'\n']);
        File.WriteAllBytes(_folder["long.yaml"], new byte[5 << 20]);
        string Only(string name) => Assert.Single(RecipeFile.Load(_folder[name], _folder["run"], [], Fake.Schema).Errors).Message;
        Assert.Equal("is not UTF-8 (byte 9); save it as UTF-8", Only("latin.yaml"));
        Assert.Equal("is too long for a recipe", Only("long.yaml"));
        Assert.Equal("no such recipe file", Only("absent.yaml"));
    }

    [Fact]
    public void Settings_are_read_by_their_type_in_any_culture()
    {
        var before = CultureInfo.CurrentCulture;
        // Globalization is invariant, so a culture that writes numbers another way has to be made.
        var other = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        other.NumberFormat = new NumberFormatInfo { NumberDecimalSeparator = ",", NumberGroupSeparator = ".",
            NegativeSign = "~" };
        CultureInfo.CurrentCulture = other;
        try
        {
            var recipe = Fake.Recipe(Good("""
                    learning_rate: 1e-4
                    shuffle: yes
                    mode: very_slow
                    limit: 1h30m
                    cap: -1_000_000
                    shape: {width: 012}
                    tags: [no, 012, "x: y", ü]
                    weights: {web: .5, books: 2}
                    text: on
                    filters:
                      - ratio
                      - filter: length
                        min_words: 1e2
                """), _folder["run"]);
            var step = Assert.IsType<FakeFilterStep>(recipe.Steps[1].Step);
            Assert.Equal(1e-4, step.LearningRate);
            Assert.True(step.Shuffle);
            Assert.Equal(FakeMode.VerySlow, step.Mode);
            Assert.Equal(TimeSpan.FromMinutes(90), step.Limit);
            Assert.Equal(-1_000_000, step.Cap);
            Assert.Equal(new Shape(12, 2), step.Shape);
            Assert.Equal(["no", "012", "x: y", "ü"], step.Tags);
            Assert.Equal([KeyValuePair.Create("web", 0.5), KeyValuePair.Create("books", 2.0)], step.Weights);
            Assert.Equal("on", step.Text);
            Assert.Equal([new RatioFilter(), new LengthFilter { MinWords = 100 }], step.Filters);
            Assert.Equal(new Artifact(ArtifactKind.Documents, _folder["run/corpus/documents"], "corpus"), step.Documents);
            string yaml = RecipeWriter.Yaml(recipe.Resolved);
            Assert.Contains("    learning_rate: 0.0001\n    shuffle: true\n    mode: very_slow\n    limit: \"01:30:00\"\n    cap: -1000000\n", yaml);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void A_resolved_recipe_read_again_is_the_same()
    {
        var recipe = Fake.Recipe(Good("""
                cap: null
                shape: {width: 3}
                text: "a \"quote\", a \\, a\ttab, a\nline, \u00fc, \U0001F600, \u0007 and true"
                tags: [true, null-ish, "", " x", "-", "#", "a: b", "1e5", ~tilde]
                limit: 250ms
                filters: [{filter: ratio, ratio: 0.1}, length]
            """), _folder["run"], "seed=18446744073709551615");
        string yaml = RecipeWriter.Yaml(recipe.Resolved);
        var again = Fake.Recipe(yaml, _folder["run"]);
        Assert.Equal(yaml, RecipeWriter.Yaml(again.Resolved));
        Assert.Equal(ulong.MaxValue, again.Seed);
        Assert.Equal(((FakeFilterStep)recipe.Steps[1].Step).Text, ((FakeFilterStep)again.Steps[1].Step).Text);
        Assert.Equal(((FakeFilterStep)recipe.Steps[1].Step).Tags, ((FakeFilterStep)again.Steps[1].Step).Tags);
    }

    [Fact]
    public void Overrides_come_before_checks_and_are_named_in_errors()
    {
        var recipe = Fake.Recipe(
            Good("    learning_rate: 7\n    filters: [length]"), _folder["run"],
            "clean.learning-rate=0.25", "clean.filters.0={filter: length, min_words: 5}", "seed=7", "clean.tags=*.md",
                "steps.clean.shape.width=3");
        var step = (FakeFilterStep)recipe.Steps[1].Step;
        Assert.Equal(0.25, step.LearningRate);
        Assert.Equal([new LengthFilter { MinWords = 5 }], step.Filters);
        Assert.Equal(["*.md"], step.Tags);
        Assert.Equal(new Shape(3), step.Shape);
        Assert.Equal(7ul, recipe.Seed);
        Assert.Equal(
            [
                "--set clena.shuffle=1: no step 'clena' (did you mean 'clean'?)",
                "--set clean: expected step.key=value, such as pretrain.learning_rate=3e-4",
                "--set clean.tags.3=x: 'clean.tags' is a list of 1; expected a number from 0 for '3'",
                "--set clean.shufle=yes: step 'clean' (filter) has no setting 'shufle' (did you mean 'shuffle'?)",
                "--set clean.learning_rate=2: 'learning_rate' is 2, must be at least 0 and at most 1",
            ],
            Errors(
                Good("    tags: [a]"), "clena.shuffle=1", "clean", "clean.tags.3=x", "clean.shufle=yes",
                    "clean.learning_rate=2"));
    }

    [Fact]
    public void One_step_can_be_made_from_flags()
    {
        string input = _folder.Write("docs/a.txt", "x");
        var result = RecipeFile.ForStep(
            "filter", 3, _folder["run"], ["documents=" + _folder["docs"], "tags=a", "tags=b", "learning-rate=0.1"], Fake.Schema);
        Assert.Equal([], result.Errors);
        var step = (FakeFilterStep)Assert.Single(result.Recipe!.Steps).Step;
        Assert.Equal(["a", "b"], step.Tags);
        Assert.Equal(_folder["docs"], step.Documents.Path);
        Assert.Equal(
            "--learning-rate fast: 'learning_rate' is 'fast', expected number",
            RecipeFile.ForStep("filter", 3, _folder["run"], [$"documents={input}", "learning_rate=fast"], Fake.Schema)
                .Errors[0].ToString());
    }

    [Fact]
    public void Settings_describe_themselves_for_the_command_line()
    {
        var settings = StepSetting.Of(typeof(FakeFilterStep), Fake.Schema).ToDictionary(setting => setting.Key);
        Assert.Equal(["documents", "filters", "learning_rate", "shuffle"], settings.Keys.Take(4));
        Assert.True(settings["documents"].Required);
        Assert.Equal(ArtifactKind.Documents, settings["documents"].Input);
        Assert.Equal("0.5", settings["learning_rate"].Default);
        Assert.Equal("list of filter: length, ratio", settings["filters"].TypeName);
        Assert.Equal("How often the text is written.", StepSetting.Of(typeof(FakeRead))[1].Description);
    }
}
