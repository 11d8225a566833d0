using System.Text.Json.Nodes;
using Finery.Data.Tokenizers.Jinja;

namespace Finery.Tests.Data.Tokenizers.Chat.Jinja;

/// <summary>A folder of templates, conversations and snippets with what Jinja2 makes of them: see <c>goldens.py</c>.</summary>
internal sealed class RenderedTemplates(string folder)
{
    /// <summary>The time the goldens were made at.</summary>
    public static readonly TimeProvider Clock = new FixedClock(new DateTimeOffset(2024, 7, 6, 9, 8, 7, TimeSpan.Zero));

    public static string Assets => Path.Combine(AppContext.BaseDirectory, "Assets", "Chat");

    private readonly JsonObject _expected = Read(folder, "expected.json").AsObject();

    public int Equal { get; private set; }

    public int Cases { get; private set; }

    public List<string> Differences { get; } = [];

    public static JsonNode Read(string folder, string name) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, name)))!;

    public void CompareTemplates()
    {
        var conversations = Read(folder, "conversations.json").AsObject();
        foreach (var (name, cases) in _expected.Where(pair => pair.Key.EndsWith(".jinja", StringComparison.Ordinal)))
        {
            string source = File.ReadAllText(Path.Combine(folder, name));
            foreach (var (conversation, expected) in cases!.AsObject())
                Compare($"{name} {conversation}", source, conversations[conversation]!.AsObject(), expected!.AsObject());
        }
    }

    public void CompareSnippets()
    {
        var snippets = Read(folder, "snippets.json").AsObject();
        var templates = snippets["templates"]!.AsArray();
        for (int i = 0; i < templates.Count; i++)
        {
            string source = (string)templates[i]!;
            Compare(source, source, snippets["variables"]!.AsObject(), _expected["snippets"]![i]!.AsObject());
        }
    }

    private void Compare(string name, string source, JsonObject variables, JsonObject expected)
    {
        Cases++;
        string? error = null;
        JinjaResult? result = null;
        try
        {
            result = JinjaTemplate.Parse(source).Render(variables, Clock);
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            error = problem.Message;
        }
        var spans = (expected["spans"] as JsonArray ?? []).Select(span => ((int)span![0]!, (int)span[1]!));
        if ((string?)expected["text"] == result?.Text && (result is null || spans.SequenceEqual(result.Generated)))
        {
            Equal++;
            return;
        }
        Differences.Add($"{name}:\n  expected {Shown(expected["text"]) ?? (string?)expected["error"]} {expected["spans"]?.ToJsonString()}\n" +
            $"  actual   {Shown(result?.Text) ?? error} {string.Join(' ', result?.Generated ?? [])}");
    }

    private static string? Shown(JsonNode? text) => text?.ToJsonString();

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => now;
    }
}
