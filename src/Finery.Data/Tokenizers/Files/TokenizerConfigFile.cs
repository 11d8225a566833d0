using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Reads and writes <c>tokenizer_config.json</c>.</summary>
internal static class TokenizerConfigFile
{
    /// <summary>HF's stand-in for "no limit" is 1e30; anything this large means the same.</summary>
    private const double NoLimit = 1e15;

    private static readonly string[] BosNames = [ControlTokens.BeginOfText, "<|endoftext|>", "<s>"];
    private static readonly string[] EosNames = [ControlTokens.EndOfText, "<|endoftext|>", "</s>"];

    public static TokenizerConfig Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw new JsonException("expected an object");
            return new TokenizerConfig
            {
                BosToken = Token(root, "bos_token"),
                EosToken = Token(root, "eos_token"),
                PadToken = Token(root, "pad_token"),
                ModelMaxLength = root.TryGetProperty("model_max_length", out JsonElement length)
                    && length.ValueKind == JsonValueKind.Number && length.GetDouble() is > 0 and < NoLimit
                    ? (long)length.GetDouble() : null,
                ChatTemplate = Template(root),
            };
        }
        catch (Exception problem)
            when (problem is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{TokenizerFile.ConfigFileName} is not valid: {problem.Message}", problem);
        }
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

    public static string ToJson(TokenizerConfig config)
    {
        var json = new JsonPrinter().Open('{');
        if (config.BosToken is not null) json.Key("bos_token").Value(config.BosToken);
        if (config.ChatTemplate is not null) json.Key("chat_template").Value(config.ChatTemplate);
        json.Key("clean_up_tokenization_spaces").Value(false);
        if (config.EosToken is not null) json.Key("eos_token").Value(config.EosToken);
        if (config.ModelMaxLength is { } length) json.Key("model_max_length").Value(length);
        if (config.PadToken is not null) json.Key("pad_token").Value(config.PadToken);
        return json.Key("tokenizer_class").Value("PreTrainedTokenizerFast").Close('}') + "\n";
    }

    /// <summary>A token is a string or HF's AddedToken object.</summary>
    private static string? Token(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out JsonElement value)) return null;
        if (value.ValueKind == JsonValueKind.Object) value = value.GetProperty("content");
        return value.ValueKind == JsonValueKind.Null ? null : value.GetString();
    }

    /// <summary>A template is a string, or a list of named ones of which "default" counts.</summary>
    private static string? Template(JsonElement root)
    {
        if (!root.TryGetProperty("chat_template", out JsonElement value) || value.ValueKind == JsonValueKind.Null) return null;
        if (value.ValueKind == JsonValueKind.String) return value.GetString();
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.GetProperty("name").GetString() == "default") return item.GetProperty("template").GetString();
        }
        return null;
    }
}
