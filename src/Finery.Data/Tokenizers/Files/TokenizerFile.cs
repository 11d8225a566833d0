using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Reads and writes HF's <c>tokenizer.json</c> and <c>tokenizer_config.json</c>. Supported: byte-level BPE with the Llama-3 or
/// GPT-2 split, without normaliser; anything else is refused by name, never skipped. Loading and saving a pretty-printed HF
/// file gives the same bytes. A post-processor that adds a begin token is kept for HF, but not applied here.
/// </summary>
public static class TokenizerFile
{
    /// <summary>Name of the main file in a model's folder.</summary>
    public const string FileName = "tokenizer.json";

    /// <summary>Name of the file with the roles of control tokens and the chat template.</summary>
    public const string ConfigFileName = "tokenizer_config.json";

    private const long MaxFileBytes = 1 << 30;

    /// <summary>Loads a tokenizer from a folder, or from a <c>tokenizer.json</c>; a <c>tokenizer_config.json</c> and a
    /// <c>chat_template.jinja</c> beside it are read too, if there.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or inconsistent; the message says where.</exception>
    /// <exception cref="NotSupportedException">The file uses a component that is not supported; the message names it.</exception>
    public static Tokenizer Load(string path)
    {
        string file = Directory.Exists(path) ? Path.Combine(path, FileName) : path;
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        string config = Path.Combine(folder, ConfigFileName), template = Path.Combine(folder, "chat_template.jinja");
        try
        {
            Tokenizer tokenizer = Parse(Read(file));
            TokenizerConfig settings = File.Exists(config)
                ? TokenizerConfigFile.Parse(Read(config))
                : TokenizerConfigFile.Guess(tokenizer.SpecialTokens);
            if (File.Exists(template)) settings = settings with { ChatTemplate = Read(template) };
            foreach (string? role in new[] { settings.BosToken, settings.EosToken, settings.PadToken })
            {
                if (role is not null && tokenizer.IdOf(role) is null)
                    throw new InvalidDataException(
                        $"{ConfigFileName} names the token \"{role}\", which is not in the vocabulary.");
            }
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
    }

    /// <summary>Writes both files to <paramref name="folder"/>, which is made if need be: each to a temporary sibling,
    /// flushed to disk, then renamed.</summary>
    public static void Save(Tokenizer tokenizer, string folder)
    {
        Directory.CreateDirectory(folder);
        Write(Path.Combine(folder, FileName), ToJson(tokenizer));
        Write(Path.Combine(folder, ConfigFileName), TokenizerConfigFile.ToJson(tokenizer.Config));
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

    /// <summary>The text of <c>tokenizer.json</c>: HF's key order, two spaces, no final line break.</summary>
    public static string ToJson(Tokenizer tokenizer)
    {
        TokenizerModel model = tokenizer.Model;
        TokenizerLayout layout = model.Layout;
        var json = new JsonPrinter().Open('{');
        json.Key("version").Value("1.0").Key("truncation").Value(null).Key("padding").Value(null);
        json.Key("added_tokens").Open('[');
        foreach (AddedToken added in model.Added)
        {
            json.Item().Open('{').Key("id").Value(added.Id).Key("content").Value(added.Content);
            json.Key("single_word").Value(false).Key("lstrip").Value(false).Key("rstrip").Value(false);
            json.Key("normalized").Value(added.Normalized).Key("special").Value(added.Special).Close('}');
        }
        json.Close(']').Key("normalizer").Value(null);
        json.Key("pre_tokenizer").Value(layout.PreTokenizer).Key("post_processor").Value(layout.PostProcessor);
        json.Key("decoder").Value(layout.Decoder).Key("model").Open('{');
        json.Key("type").Value("BPE").Key("dropout").Value(null).Key("unk_token").Value(layout.UnknownToken);
        json.Key("continuing_subword_prefix").Value(layout.SubwordPrefix).Key("end_of_word_suffix").Value(layout.WordSuffix);
        json.Key("fuse_unk").Value(layout.FuseUnknown).Key("byte_fallback").Value(false);
        json.Key("ignore_merges").Value(model.IgnoreMerges).Key("vocab").Open('{');
        var outside = model.Added.Where(added => !added.InVocabulary).Select(added => added.Id).ToHashSet();
        for (int id = 0; id < model.Tokens.Length; id++)
        {
            if (!outside.Contains(id)) json.Key(model.Tokens[id]).Value(id);
        }
        json.Close('}').Key("merges").Open('[');
        foreach (var (left, right) in model.Merges)
            json.Item().Open('[').Item().Value(model.Tokens[left]).Item().Value(model.Tokens[right]).Close(']');
        return json.Close(']').Close('}').Close('}').ToString();
    }

    private static string Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no {Path.GetFileName(path)} at {path}.", path);
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

    private static void Write(string path, string text)
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
