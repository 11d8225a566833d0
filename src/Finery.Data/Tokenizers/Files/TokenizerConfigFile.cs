using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>The files a <see cref="TokenizerConfig"/> was read from.</summary>
/// <param name="Fields">All of <c>tokenizer_config.json</c>, in order.</param>
/// <param name="EndsWithLineBreak">Whether its text does.</param>
/// <param name="Values">The settings as read.</param>
internal sealed record TokenizerConfigSource(
    IReadOnlyList<(string Name, JsonElement Value)> Fields, bool EndsWithLineBreak, TokenizerConfig Values)
{
    /// <summary>Whether the chat template stood in <c>chat_template.jinja</c>.</summary>
    public bool HasTemplateFile { get; init; }

    /// <summary>Text of <c>special_tokens_map.json</c>, if there.</summary>
    public string? SpecialTokensMap { get; init; }
}

/// <summary>Reads and writes <c>tokenizer_config.json</c>.</summary>
internal static class TokenizerConfigFile
{
    /// <summary>HF's stand-in for "no limit" is 1e30; anything this large means the same.</summary>
    private const double NoLimit = 1e15;

    private const string TemplateKey = "chat_template";

    private static readonly string[] BosNames = [ControlTokens.BeginOfText, "<|endoftext|>", "<s>"];
    private static readonly string[] EosNames = [ControlTokens.EndOfText, "<|endoftext|>", "</s>"];

    /// <summary>What a config made here says beside its settings.</summary>
    private static readonly (string, JsonElement)[] Defaults =
    [
        ("clean_up_tokenization_spaces", JsonFields.Parse("false")),
        ("tokenizer_class", JsonFields.Parse("\"PreTrainedTokenizerFast\"")),
    ];

    private static readonly (string Name, Func<TokenizerConfig, object?> Get)[] Settings =
    [
        ("add_bos_token", config => config.AddBosToken), ("add_eos_token", config => config.AddEosToken),
        ("bos_token", config => config.BosToken), (TemplateKey, config => config.ChatTemplate),
        ("clean_up_tokenization_spaces", config => config.CleanUpTokenizationSpaces),
        ("eos_token", config => config.EosToken), ("model_max_length", config => config.ModelMaxLength),
        ("pad_token", config => config.PadToken), ("unk_token", config => config.UnkToken),
    ];

    /// <param name="json">Text of <c>tokenizer_config.json</c>.</param>
    /// <param name="specialTokensMap">Text of <c>special_tokens_map.json</c>, if there: for roles the former does not
    /// mention.</param>
    /// <param name="template">Text of <c>chat_template.jinja</c>, if there: it goes before the template in the config.</param>
    public static TokenizerConfig Parse(string json, string? specialTokensMap = null, string? template = null)
    {
        JsonElement root = ParseObject(json, TokenizerFile.ConfigFileName);
        JsonElement map = specialTokensMap is null
            ? JsonFields.Parse("{}") : ParseObject(specialTokensMap, TokenizerFile.SpecialTokensMapFileName);
        try
        {
            new JsonPrinter().Value(root); // text that cannot be written back is found now
            JsonElement length = root.Field("model_max_length");
            var values = new TokenizerConfig
            {
                BosToken = Role("bos_token"),
                EosToken = Role("eos_token"),
                PadToken = Role("pad_token"),
                UnkToken = Role("unk_token"),
                AddBosToken = root.Flag("add_bos_token"),
                AddEosToken = root.Flag("add_eos_token"),
                CleanUpTokenizationSpaces = root.Flag("clean_up_tokenization_spaces"),
                ModelMaxLength = length.ValueKind == JsonValueKind.Number && length.GetDouble() is > 0 and < NoLimit
                    ? (long)length.GetDouble() : null,
                ChatTemplate = template,
            };
            if (root.Field(TemplateKey) is { ValueKind: JsonValueKind.Array } list)
            {
                NamedTemplate[] named =
                    [.. list.EnumerateArray().Select(item => new NamedTemplate(item.RequiredText("name"), item.RequiredText("template")))];
                values = values with
                {
                    NamedTemplates = named,
                    ChatTemplate = template ?? Array.Find(named, item => item.Name == "default")?.Template,
                };
            }
            else values = values with { ChatTemplate = template ?? root.Text(TemplateKey) };
            var fields = root.EnumerateObject().Select(field => (field.Name, field.Value)).ToArray();
            return values with
            {
                Source = new TokenizerConfigSource(fields, json.EndsWith('\n'), values)
                {
                    HasTemplateFile = template is not null,
                    SpecialTokensMap = specialTokensMap,
                },
            };
        }
        catch (Exception problem) when (problem is InvalidOperationException or FormatException or InvalidDataException)
        {
            throw new InvalidDataException($"{TokenizerFile.ConfigFileName} is not valid: {problem.Message}", problem);
        }

        string? Role(string name) => Token(root.TryGetProperty(name, out JsonElement own) ? own : map.Field(name), name);
    }

    /// <summary>Roles by well-known names, for a <c>tokenizer.json</c> on its own.</summary>
    public static TokenizerConfig Guess(IReadOnlyList<AddedToken> added)
    {
        var names = added.Where(token => token.Special).Select(token => token.Content).ToHashSet(StringComparer.Ordinal);
        return new TokenizerConfig
        {
            BosToken = Array.Find(BosNames, names.Contains),
            EosToken = Array.Find(EosNames, names.Contains),
            PadToken = names.Contains(ControlTokens.Pad) ? ControlTokens.Pad : null,
        };
    }

    /// <summary>The text of <c>tokenizer_config.json</c>: as read, except for settings that have changed since.</summary>
    public static string ToJson(TokenizerConfig config)
    {
        TokenizerConfigSource? source = config.Source;
        var fields = new List<(string Name, object? Value)>();
        foreach (var (name, value) in source?.Fields ?? Defaults)
        {
            object? now = Setting(name)?.Invoke(config);
            if (IsAsRead(name)) fields.Add((name, value));
            else if (name == TemplateKey && source!.HasTemplateFile) continue; // the file of its own counts
            else if (name == TemplateKey && now is not null && value.ValueKind == JsonValueKind.Array)
                fields.Add((name, WithDefault(source!.Values.NamedTemplates, config.ChatTemplate!)));
            else if (now is not null || name.EndsWith("_token", StringComparison.Ordinal)) fields.Add((name, now));
        }
        foreach (var (name, get) in Settings)
        {
            if (IsAsRead(name) || fields.Exists(field => field.Name == name)) continue;
            object? now = name == TemplateKey && source is { HasTemplateFile: true } ? null : get(config);
            // null is said only where special_tokens_map.json would give the role to another token
            if (now is null && !(source?.SpecialTokensMap is not null && name.EndsWith("_token", StringComparison.Ordinal))) continue;
            int at = fields.FindIndex(field => string.CompareOrdinal(field.Name, name) > 0);
            fields.Insert(at < 0 ? fields.Count : at, (name, now));
        }
        var json = new JsonPrinter().Open('{');
        foreach (var (name, value) in fields) Print(json.Key(name), value);
        return json.Close('}') + (source is { EndsWithLineBreak: false } ? "" : "\n");

        bool IsAsRead(string name) => Setting(name) is not { } get
            || Equals(get(config), source is null ? null : get(source.Values));
    }

    private static Func<TokenizerConfig, object?>? Setting(string name) =>
        Array.Find(Settings, setting => setting.Name == name).Get;

    private static NamedTemplate[] WithDefault(IReadOnlyList<NamedTemplate> templates, string template) =>
    [
        new("default", template), .. templates.Where(item => item.Name != "default"),
    ];

    private static void Print(JsonPrinter json, object? value)
    {
        switch (value)
        {
            case JsonElement element:
                json.Value(element);
                break;
            case bool flag:
                json.Value(flag);
                break;
            case long number:
                json.Value(number);
                break;
            case NamedTemplate[] templates:
                json.Open('[');
                foreach (NamedTemplate item in templates)
                    json.Item().Open('{').Key("name").Value(item.Name).Key("template").Value(item.Template).Close('}');
                json.Close(']');
                break;
            default:
                json.Value((string?)value);
                break;
        }
    }

    /// <summary>A token is a string or HF's AddedToken object.</summary>
    private static string? Token(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Object => value.RequiredText("content"),
        _ => throw new InvalidDataException($"\"{name}\" is neither text nor an object"),
    };

    private static JsonElement ParseObject(string json, string file)
    {
        try
        {
            JsonElement root = JsonFields.Parse(json);
            return root.ValueKind == JsonValueKind.Object ? root : throw new JsonException("expected an object");
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{file} is not valid: {problem.Message}", problem);
        }
    }
}
