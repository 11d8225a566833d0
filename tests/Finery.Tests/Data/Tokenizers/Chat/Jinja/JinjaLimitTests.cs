using System.Text;
using System.Text.Json.Nodes;
using Finery.Data.Tokenizers.Jinja;
using Xunit;

namespace Finery.Tests.Data.Tokenizers.Chat.Jinja;

public class JinjaLimitTests
{
    private static readonly JsonObject Variables = RenderedTemplates.Read(RenderedTemplates.Assets, "snippets.json")["variables"]!.AsObject();

    private static readonly string[] Sources =
    [
        .. Directory.GetFiles(RenderedTemplates.Assets, "*.jinja").Order(StringComparer.Ordinal).Select(File.ReadAllText),
        .. RenderedTemplates.Read(RenderedTemplates.Assets, "snippets.json")["templates"]!.AsArray().Select(text => (string)text!),
    ];

    /// <summary>Runs a template; only the documented exceptions may come, and the limits on steps and text end it soon.</summary>
    private static string Outcome(string source, JsonObject? variables = null)
    {
        try
        {
            return JinjaTemplate.Parse(source).Render(variables ?? [], RenderedTemplates.Clock).Text;
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            return problem.Message;
        }
    }

    public static TheoryData<string, string> Bombs => new()
    {
        { "{{ 'x' * 1000000000 }}", "longer than" },
        { "{{ 'x' * 9223372036854775807 }}", "longer than" },
        { "{{ [1] * 1000000000 }}", "more steps" },
        { "{{ range(1000000000) }}", "range" },
        { "{{ range(-9223372036854775807, 9223372036854775807)|length }}", "range" },
        { "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "more steps" },
        { "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested more than" },
        { "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(1) }}", "nested more than" },
        { "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "more steps|longer than" },
        { "{% set ns = namespace(s='x') %}{% for i in range(100000) %}{% set ns.s = ns.s ~ 'abcdefghijklmnop' %}{% endfor %}", "more steps" },
        { "{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}", "nested more than" },
        { "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}", "more steps|longer than" },
        { "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}", "more steps|longer than" },
        { "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(90) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}", "more steps" },
        { "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}", "more steps" },
        { "{% set s = 'a,' * 100000 %}{% for i in range(10000) %}{% set _ = s.split(',') %}{% endfor %}", "more steps" },
        { "{{ ('ab' * 1000000).replace('a', 'x' * 1000000) }}", "longer than|more steps" },
        { "{{ (['x' * 1000000] * 100000)|join }}", "longer than" },
        { "{{ 'x'.center(1000000000) }}", "longer than" },
        { "{{ 9223372036854775807 + 1 }}", "64 bits" },
        { "{{ -9223372036854775807 - 2 }}", "64 bits" },
        { "{{ 3 ** 1000000000 }}", "64 bits" },
        { "{{ 99999999999999999999999 }}", "64 bits" },
        { "{{ (-9223372036854775807 - 1) // -1 }}", "64 bits" },
        { "{{ range(3).__class__.__mro__ }}", "attribute" },
        { "{{ ''.__class__.__base__.__subclasses__() }}", "attribute" },
    };

    [Theory]
    [MemberData(nameof(Bombs))]
    public void What_would_not_end_ends_in_a_named_error(string source, string problem) =>
        Assert.Contains(problem.Split('|'), part => Outcome(source).Contains(part, StringComparison.Ordinal));

    [Theory]
    [InlineData("(", ")", "1")]
    [InlineData("[", "]", "1")]
    [InlineData("not ", "", "1")]
    [InlineData("-", "", "1")]
    [InlineData("{1:", "}", "1")]
    [InlineData("x(", ")", "1")]
    [InlineData("x[", "]", "1")]
    [InlineData("1 if 1 else ", "", "1")]
    [InlineData("x.", "", "x")]
    [InlineData("1 + ", "", "1")]
    [InlineData("1 ~ ", "", "1")]
    [InlineData("", "|string", "1")]
    [InlineData("", " and 1", "1")]
    [InlineData("x|map(", ")", "1")]
    public void Deep_expressions_are_errors_rather_than_crashes(string open, string close, string core)
    {
        foreach (int depth in new[] { 50, 500, 100_000 })
            Outcome($"{{{{ {string.Concat(Enumerable.Repeat(open, depth))}{core}{string.Concat(Enumerable.Repeat(close, depth))} }}}}");
    }

    [Theory]
    [InlineData("{% if 1 %}", "{% endif %}")]
    [InlineData("{% for i in [1] %}", "{% endfor %}")]
    [InlineData("{% macro f() %}", "{% endmacro %}")]
    [InlineData("{% set x %}", "{% endset %}")]
    [InlineData("{% filter upper %}", "{% endfilter %}")]
    [InlineData("{% generation %}", "{% endgeneration %}")]
    [InlineData("{% set (", "")]
    public void Deep_blocks_are_errors_rather_than_crashes(string open, string close)
    {
        foreach (int depth in new[] { 20, 1000, 100_000 })
            Outcome(string.Concat(Enumerable.Repeat(open, depth)) + "x" + string.Concat(Enumerable.Repeat(close, depth)));
    }

    [Fact]
    public void Deep_recursion_of_a_macro_ends_on_a_small_stack()
    {
        string? message = null;
        var thread = new Thread(() => message = Outcome(
            "{% macro f(n) %}{% if 1 %}{% for i in [1] %}{{ [f(n + 1)|string ~ '']|join }}{% endfor %}{% endif %}{% endmacro %}{{ f(0) }}"), 1 << 20);
        thread.Start();
        thread.Join();
        Assert.Contains("nested more than", message);
    }

    [Fact]
    public void Deep_and_broken_data_is_refused()
    {
        JsonNode? deep = 1;
        for (int i = 0; i < 200; i++) deep = new JsonArray(deep);
        Assert.Contains("nested", Outcome("{{ x }}", new JsonObject { ["x"] = deep }));
        Assert.Contains("twice", Outcome("{{ x }}", new JsonObject { ["x"] = JsonNode.Parse("{\"a\": 1, \"a\": 2}") }));
        Assert.Contains("digits", Outcome("{{ x }}", new JsonObject { ["x"] = JsonNode.Parse(new string('9', 5000)) }));
        Assert.Equal("12345678901234567890 [1.0, 1, inf]", Outcome("{{ x }} {{ y }}",
            new JsonObject { ["x"] = JsonNode.Parse("12345678901234567890"), ["y"] = JsonNode.Parse("[1.0, 1, 1e999]") }));
    }

    [Fact]
    public void Errors_say_where()
    {
        Assert.StartsWith("Chat template, line 2, column 5:", Outcome("a\n{{ x.y }}"));
        Assert.StartsWith("Chat template, line 3, column 4:", Outcome("\n\n{% nope %}"));
    }

    [Fact]
    public void Mutated_templates_end_in_text_or_in_an_error()
    {
        string[] parts = ["{%", "%}", "{{", "}}", "{#", "#}", "-", "|", "(", ")", "[", "]", "'", "\"", "\\", ".", ",", "~", " if ", " else ",
            " in ", " is ", " not ", " for ", "loop", "messages", "\n", "\ud83d\ude00", "\0", "{% endfor %}", "{% endif %}", "{% raw %}", "*", "**", "//",
            "9999999999", "1e9", "range(", "[::-1]", " namespace(", "_", "\ufdd0", "\ud800"];
        var random = new Random(11);
        for (int i = 0; i < 4000; i++)
        {
            var text = new StringBuilder(Sources[random.Next(Sources.Length)]);
            for (int edits = random.Next(1, 6); edits > 0; edits--)
            {
                int at = random.Next(text.Length + 1), length = Math.Min(random.Next(12), text.Length - at);
                if (random.Next(3) == 0) text.Insert(at, parts[random.Next(parts.Length)]);
                else if (random.Next(2) == 0) text.Remove(at, length);
                else text.Insert(random.Next(text.Length + 1), text.ToString(at, length));
            }
            Outcome(text.ToString(), Variables);
        }
    }

    [Fact]
    public void Random_expressions_end_in_text_or_in_an_error()
    {
        var random = new Random(5);
        for (int i = 0; i < 8000; i++) Outcome("{{ " + RandomExpression.Next(random, 4) + " }}", Variables);
    }
}
