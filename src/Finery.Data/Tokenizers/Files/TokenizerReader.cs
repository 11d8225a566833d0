using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Checks every component of a <c>tokenizer.json</c> and turns it into a <see cref="TokenizerModel"/>.</summary>
internal static class TokenizerReader
{
    private static readonly JsonElement Null = JsonDocument.Parse("null").RootElement.Clone();

    public static TokenizerModel Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object) throw new InvalidDataException("the file is not a JSON object");
        if (Text(root, "version") is var version && version != "1.0")
            throw new NotSupportedException($"version \"{version}\" is not supported; expected \"1.0\"");
        foreach (string name in new[] { "truncation", "padding", "normalizer" })
        {
            if (Get(root, name) is { ValueKind: not JsonValueKind.Null } value)
                throw new NotSupportedException($"{name} {Describe(value)} is not supported; expected null");
        }
        JsonElement model = Required(root, "model");
        if (Text(model, "type") is { } type and not "BPE")
            throw new NotSupportedException($"model type \"{type}\" is not supported; expected BPE");
        RefuseUnless(model, "dropout", value => value.ValueKind == JsonValueKind.Null, "null");
        RefuseUnless(model, "byte_fallback", value => value.ValueKind is JsonValueKind.Null or JsonValueKind.False, "false");
        RefuseUnless(model, "continuing_subword_prefix", IsEmpty, "null");
        RefuseUnless(model, "end_of_word_suffix", IsEmpty, "null");

        AddedToken[] added = [.. ReadAdded(root).OrderBy(token => token.Id)];
        string[] tokens = ReadVocabulary(Required(model, "vocab"), added);
        return new TokenizerModel
        {
            Tokens = tokens,
            Added = added,
            Merges = ReadMerges(Required(model, "merges"), tokens),
            Pattern = ReadPattern(Required(root, "pre_tokenizer")),
            IgnoreMerges = Flag(model, "ignore_merges", absent: false),
            Layout = new TokenizerLayout(
                Required(root, "pre_tokenizer").Clone(), CheckedPostProcessor(Get(root, "post_processor")).Clone(),
                CheckedDecoder(Required(root, "decoder")).Clone(), Get(model, "unk_token").Clone(),
                Get(model, "continuing_subword_prefix").Clone(), Get(model, "end_of_word_suffix").Clone(),
                Flag(model, "fuse_unk", absent: false)),
        };
    }

    private static IEnumerable<AddedToken> ReadAdded(JsonElement root)
    {
        if (Get(root, "added_tokens") is not { ValueKind: JsonValueKind.Array } list) yield break;
        foreach (JsonElement item in list.EnumerateArray())
        {
            string content = Text(item, "content") is { Length: > 0 } text
                ? text
                : throw new InvalidDataException("an added token has no content");
            foreach (string flag in new[] { "single_word", "lstrip", "rstrip" })
            {
                if (Flag(item, flag, absent: false))
                    throw new NotSupportedException($"added token \"{content}\" has {flag}, which is not supported");
            }
            bool special = Flag(item, "special", absent: false);
            yield return new AddedToken(Required(item, "id").GetInt32(), content, special,
                Flag(item, "normalized", absent: !special));
        }
    }

    private static string[] ReadVocabulary(JsonElement vocabulary, AddedToken[] added)
    {
        var byId = new Dictionary<int, string>();
        foreach (JsonProperty entry in vocabulary.EnumerateObject())
        {
            int id = entry.Value.GetInt32();
            if (!byId.TryAdd(id, entry.Name))
                throw new InvalidDataException($"id {id} belongs to both \"{byId[id]}\" and \"{entry.Name}\"");
        }
        for (int i = 0; i < added.Length; i++)
        {
            AddedToken token = added[i];
            if (i > 0 && added[i - 1].Id == token.Id) throw new InvalidDataException($"two added tokens have id {token.Id}");
            if (byId.TryAdd(token.Id, token.Content)) added[i] = token with { InVocabulary = false };
            else if (byId[token.Id] != token.Content)
                throw new InvalidDataException($"added token \"{token.Content}\" has id {token.Id} of \"{byId[token.Id]}\"");
        }
        var tokens = new string[byId.Count];
        for (int id = 0; id < tokens.Length; id++)
        {
            if (!byId.TryGetValue(id, out tokens[id]!))
                throw new InvalidDataException($"the vocabulary has {tokens.Length} entries, but none with id {id}");
        }
        return tokens;
    }

    private static (int, int)[] ReadMerges(JsonElement list, string[] tokens)
    {
        var ids = new Dictionary<string, int>(tokens.Length, StringComparer.Ordinal);
        for (int id = 0; id < tokens.Length; id++) ids.TryAdd(tokens[id], id);
        var merges = new List<(int, int)>(list.GetArrayLength());
        foreach (JsonElement item in list.EnumerateArray())
        {
            string?[] parts;
            if (item.ValueKind == JsonValueKind.String)
            {
                string line = item.GetString()!;
                if (line.StartsWith("#version", StringComparison.Ordinal)) continue;
                parts = line.Split(' ');
            }
            else parts = [.. item.EnumerateArray().Select(part => part.GetString())];
            if (parts is not [{ } left, { } right])
                throw new InvalidDataException($"merge {merges.Count}, {item.GetRawText()}, is not a pair");
            merges.Add((IdOf(left), IdOf(right)));

            int IdOf(string part) => ids.TryGetValue(part, out int id) ? id : throw new InvalidDataException(
                $"merge {merges.Count}, \"{left}\" + \"{right}\": \"{part}\" is not in the vocabulary");
        }
        return [.. merges];
    }

    private static SplitPattern ReadPattern(JsonElement preTokenizer)
    {
        if (Text(preTokenizer, "type") == "ByteLevel")
        {
            CheckByteLevel(preTokenizer, useRegex: true);
            return SplitPattern.Gpt2;
        }
        if (Text(preTokenizer, "type") != "Sequence") throw Unsupported("pre_tokenizer", preTokenizer);
        JsonElement[] parts = [.. Required(preTokenizer, "pretokenizers").EnumerateArray()];
        foreach (JsonElement part in parts)
        {
            if (Text(part, "type") is not ("Split" or "ByteLevel")) throw Unsupported("pre_tokenizer", part);
        }
        if (parts.Length != 2 || Text(parts[0], "type") != "Split" || Text(parts[1], "type") != "ByteLevel")
            throw Unsupported("pre_tokenizer sequence", preTokenizer);
        CheckByteLevel(parts[1], useRegex: false);
        if (Text(parts[0], "behavior") != "Isolated" || Flag(parts[0], "invert", absent: false))
            throw new NotSupportedException("pre_tokenizer Split is supported with behavior Isolated and invert false only");
        string? regex = Text(Required(parts[0], "pattern"), "Regex");
        foreach (SplitPattern pattern in Enum.GetValues<SplitPattern>())
        {
            if (regex == PreTokenizer.Regex(pattern)) return pattern;
        }
        throw new NotSupportedException(
            $"pre_tokenizer Split pattern {regex ?? "that is no Regex"} is not supported; expected Llama-3's or GPT-2's");
    }

    private static void CheckByteLevel(JsonElement part, bool useRegex)
    {
        if (Flag(part, "add_prefix_space", absent: true))
            throw new NotSupportedException("pre_tokenizer ByteLevel with add_prefix_space is not supported");
        if (Flag(part, "use_regex", absent: true) != useRegex)
            throw new NotSupportedException($"pre_tokenizer ByteLevel is supported here with use_regex {useRegex} only");
    }

    private static JsonElement CheckedDecoder(JsonElement decoder) =>
        Text(decoder, "type") == "ByteLevel" ? decoder : throw Unsupported("decoder", decoder);

    private static JsonElement CheckedPostProcessor(JsonElement processor)
    {
        if (processor.ValueKind == JsonValueKind.Null) return processor;
        if (Text(processor, "type") is "ByteLevel" or "TemplateProcessing") return processor;
        if (Text(processor, "type") != "Sequence") throw Unsupported("post_processor", processor);
        foreach (JsonElement part in Required(processor, "processors").EnumerateArray())
        {
            if (Text(part, "type") is not ("ByteLevel" or "TemplateProcessing")) throw Unsupported("post_processor", part);
        }
        return processor;
    }

    private static void RefuseUnless(JsonElement model, string name, Func<JsonElement, bool> allowed, string expected)
    {
        if (Get(model, name) is var value && !allowed(value))
            throw new NotSupportedException($"model {name} {value.GetRawText()} is not supported; expected {expected}");
    }

    private static bool IsEmpty(JsonElement value) =>
        value.ValueKind == JsonValueKind.Null || (value.ValueKind == JsonValueKind.String && value.GetString() is "");

    private static NotSupportedException Unsupported(string component, JsonElement value) =>
        new($"{component} {Describe(value)} is not supported");

    private static string Describe(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Object && Text(value, "type") is { } type) return type;
        string text = value.GetRawText();
        return text[..Math.Min(text.Length, 80)];
    }

    private static JsonElement Get(JsonElement parent, string name) =>
        parent.ValueKind != JsonValueKind.Object ? throw new InvalidDataException($"expected an object with \"{name}\"")
        : parent.TryGetProperty(name, out JsonElement value) ? value : Null;

    private static JsonElement Required(JsonElement parent, string name) =>
        Get(parent, name) is { ValueKind: not JsonValueKind.Null } value
            ? value
            : throw new InvalidDataException($"\"{name}\" is missing");

    private static string? Text(JsonElement parent, string name) => Get(parent, name) switch
    {
        { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw new InvalidDataException($"\"{name}\" is not a string"),
    };

    private static bool Flag(JsonElement parent, string name, bool absent) => Get(parent, name).ValueKind switch
    {
        JsonValueKind.Null => absent,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw new InvalidDataException($"\"{name}\" is not true or false"),
    };
}
