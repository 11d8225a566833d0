using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Reads and writes HF's <c>tokenizer.json</c> and the files beside it: <c>tokenizer_config.json</c>,
/// <c>special_tokens_map.json</c>, <c>chat_template.jinja</c>; reads GPT-2's older <c>vocab.json</c> and <c>merges.txt</c>.
/// Models are BPE, of bytes or of characters, and Unigram. What is not supported is refused by name, never skipped. Loading and
/// saving a pretty-printed file gives the same bytes, except that merges written as <c>"a b"</c> become pairs
/// <c>["a", "b"]</c>, the form that HF writes now. Truncation and padding are kept for HF and not applied here.
/// </summary>
public static class TokenizerFile
{
    /// <summary>Name of the main file in a model's folder.</summary>
    public const string FileName = "tokenizer.json";

    /// <summary>Name of the file with the roles of control tokens and the chat template.</summary>
    public const string ConfigFileName = "tokenizer_config.json";

    /// <summary>Name of an older file with roles of control tokens; the config goes before it.</summary>
    public const string SpecialTokensMapFileName = "special_tokens_map.json";

    /// <summary>Name of a chat template in a file of its own; it goes before one in the config.</summary>
    public const string TemplateFileName = "chat_template.jinja";

    private const long MaxFileBytes = 1 << 30;

    /// <summary>Loads a tokenizer from a folder, or from a <c>tokenizer.json</c>, with the files beside it. A folder without
    /// one may have <c>vocab.json</c> and <c>merges.txt</c>.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or inconsistent; the message says where.</exception>
    /// <exception cref="NotSupportedException">The file uses a component that is not supported; the message names it.</exception>
    public static Tokenizer Load(string path)
    {
        if (path.EndsWith(TiktokenFile.Extension, StringComparison.Ordinal)) return TiktokenFile.Load(path);
        string file = Directory.Exists(path) ? Path.Combine(path, FileName) : path;
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        bool isOlder = !File.Exists(file) && VocabularyFiles.AreIn(folder);
        if (!isOlder && !File.Exists(file)) throw new FileNotFoundException($"There is no {FileName} at {file}.", file);
        try
        {
            TokenizerConfig? settings = Beside(ConfigFileName) is { } config
                ? TokenizerConfigFile.Parse(config, Beside(SpecialTokensMapFileName), Beside(TemplateFileName))
                : null;
            Tokenizer tokenizer = isOlder ? VocabularyFiles.Load(folder, settings) : Parse(Read(file));
            settings ??= tokenizer.Config with { ChatTemplate = Beside(TemplateFileName) };
            Check(settings, tokenizer);
            return tokenizer.WithConfig(settings);
        }
        catch (InvalidDataException problem)
        {
            throw new InvalidDataException($"Cannot load the tokenizer {file}: {problem.Message}", problem);
        }
        catch (NotSupportedException problem)
        {
            throw new NotSupportedException($"Cannot load the tokenizer {file}: {problem.Message}", problem);
        }

        string? Beside(string name) => File.Exists(Path.Combine(folder, name)) ? Read(Path.Combine(folder, name)) : null;
    }

    /// <summary>Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c> to <paramref name="folder"/>, which is made if need
    /// be, and the other files if the tokenizer came with them: each to a temporary sibling, flushed to disk, then renamed. A
    /// chat template there that is not this tokenizer's is removed.</summary>
    public static void Save(Tokenizer tokenizer, string folder)
    {
        Directory.CreateDirectory(folder);
        TokenizerConfig config = tokenizer.Config;
        Write(Path.Combine(folder, FileName), ToJson(tokenizer));
        Write(Path.Combine(folder, ConfigFileName), TokenizerConfigFile.ToJson(config));
        if (config.Source?.SpecialTokensMap is { } map) Write(Path.Combine(folder, SpecialTokensMapFileName), map);
        string template = Path.Combine(folder, TemplateFileName);
        if (config is { Source.HasTemplateFile: true, ChatTemplate: not null }) Write(template, config.ChatTemplate);
        else File.Delete(template);
    }

    /// <summary>A tokenizer from the text of <c>tokenizer.json</c>; roles of control tokens are guessed from their
    /// names.</summary>
    /// <exception cref="InvalidDataException">The text is damaged or inconsistent.</exception>
    /// <exception cref="NotSupportedException">It uses a component that is not supported.</exception>
    public static Tokenizer Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            Tokenizer tokenizer = new(TokenizerReader.Read(document.RootElement));
            return tokenizer.WithConfig(TokenizerConfigFile.Guess(tokenizer.SpecialTokens));
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{FileName} is not valid: {problem.Message}", problem);
        }
    }

    /// <summary>The text of <c>tokenizer.json</c>: the fields it was read with, in their order (for one trained here HF's), two
    /// spaces, no final line break.</summary>
    public static string ToJson(Tokenizer tokenizer)
    {
        TokenizerModel model = tokenizer.Model;
        var json = new JsonPrinter().Open('{');
        foreach (var (name, value) in model.Layout.File)
        {
            json.Key(name);
            if (name == "added_tokens" && !TokenizerReader.IsListOf(model.Added, value)) PrintAdded(json, model.Added);
            else if (name == "model" && value.ValueKind == JsonValueKind.Undefined) PrintModel(json, model);
            else json.Value(value);
        }
        return json.Close('}').ToString();
    }

    private static void PrintAdded(JsonPrinter json, AddedToken[] tokens)
    {
        json.Open('[');
        foreach (AddedToken token in tokens)
        {
            json.Item().Open('{').Key("id").Value(token.Id).Key("content").Value(token.Content);
            json.Key("single_word").Value(token.SingleWord).Key("lstrip").Value(token.StripsLeft);
            json.Key("rstrip").Value(token.StripsRight).Key("normalized").Value(token.Normalized);
            json.Key("special").Value(token.Special).Close('}');
        }
        json.Close(']');
    }

    private static void PrintModel(JsonPrinter json, TokenizerModel model)
    {
        json.Open('{');
        foreach (var (name, value) in model.Layout.Model)
        {
            json.Key(name);
            if (name == "ignore_merges" && !value.IsNull()) json.Value(model.IgnoreMerges);
            else if (value.ValueKind != JsonValueKind.Undefined) json.Value(value);
            else if (name == "vocab") PrintVocabulary(json, model);
            else
            {
                json.Open('[');
                foreach (var (left, right) in model.Merges)
                    json.Item().Open('[').Item().Value(model.Tokens[left]).Item().Value(model.Tokens[right]).Close(']');
                json.Close(']');
            }
        }
        json.Close('}');
    }

    private static void PrintVocabulary(JsonPrinter json, TokenizerModel model)
    {
        var outside = model.Added.Where(added => !added.InVocabulary).Select(added => added.Id).ToHashSet();
        json.Open('{');
        foreach (int id in model.Order ?? Enumerable.Range(0, model.Tokens.Length))
        {
            if (!outside.Contains(id) && model.Holes?[id] != true) json.Key(model.Tokens[id]).Value(id);
        }
        json.Close('}');
    }

    private static void Check(TokenizerConfig config, Tokenizer tokenizer)
    {
        foreach (string? role in new[] { config.BosToken, config.EosToken, config.PadToken })
        {
            if (role is not null && tokenizer.IdOf(role) is null)
                throw new InvalidDataException($"{ConfigFileName} names the token \"{role}\", which is not in the vocabulary.");
        }
        JsonElement added = config.Source?.Fields.LastOrDefault(field => field.Name == "added_tokens_decoder").Value ?? default;
        if (added.ValueKind != JsonValueKind.Object) return;
        foreach (JsonProperty token in added.EnumerateObject())
        {
            string content = token.Value.RequiredText("content");
            if (!int.TryParse(token.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || !tokenizer.HasToken(id)
                || tokenizer.TokenText(id) != content)
                throw new InvalidDataException($"{ConfigFileName} gives the added token \"{content}\" the id {token.Name}; " +
                    $"in {FileName} it has {(tokenizer.IdOf(content) is { } other ? $"id {other}" : "none")}.");
        }
    }

    internal static string Read(string path)
    {
        if (new FileInfo(path).Length > MaxFileBytes)
            throw new InvalidDataException($"{Path.GetFileName(path)} is larger than {MaxFileBytes >> 20} MiB.");
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path));
        }
        catch (DecoderFallbackException problem)
        {
            throw new InvalidDataException($"{Path.GetFileName(path)} is not valid UTF-8.", problem);
        }
    }

    internal static void Write(string path, string text)
    {
        string temporary = path + ".tmp";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }
}
