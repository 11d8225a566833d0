using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Turns a <c>tokenizer.json</c> into a <see cref="TokenizerModel"/>; its components are checked when a
/// <see cref="Tokenizer"/> is made of it.</summary>
internal static class TokenizerReader
{
    /// <summary>Ids take memory up to the largest, whether or not there is a token.</summary>
    public const int MaxId = (1 << 24) - 1, MaxHoles = 1 << 20;

    public static TokenizerModel Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object) throw new InvalidDataException("the file is not a JSON object");
        if (root.Text("version") is var version && version != "1.0")
            throw new NotSupportedException($"version \"{version}\" is not supported; expected \"1.0\"");
        JsonElement model = root.Required("model");
        string type = model.Text("type") ?? (model.Field("merges").IsNull() ? "of WordPiece or WordLevel" : "BPE"); // absent in old files
        if (type is not ("BPE" or "Unigram"))
            throw new NotSupportedException($"model type \"{type}\" is not supported; expected BPE or Unigram");

        AddedToken[] added = [.. ReadAdded(root.Field("added_tokens")).OrderBy(token => token.Id)];
        var vocabulary = new Dictionary<int, string>();
        double[]? scores = null;
        if (type == "Unigram") scores = ReadPieces(model, vocabulary);
        else ReadVocabulary(model.Required("vocab"), vocabulary);
        (string, JsonElement)[] fields = [.. Fields(root, "model")];
        (string, JsonElement)[] options = [.. Fields(model, "merges", type == "BPE" ? "vocab" : "")];
        return Assemble(vocabulary, added, new TokenizerLayout(fields, options)) with
        {
            Merges = type == "BPE" ? ReadMerges(model, vocabulary) : [],
            Scores = scores,
            Order = IsAscending(vocabulary.Keys) ? null : [.. vocabulary.Keys],
            IgnoreMerges = model.Flag("ignore_merges", absent: false),
        };
    }

    /// <summary>Tokens in an array by id, with added tokens and holes; without merges.</summary>
    public static TokenizerModel Assemble(Dictionary<int, string> vocabulary, AddedToken[] added, TokenizerLayout layout)
    {
        var byId = new Dictionary<int, string>(vocabulary);
        for (int i = 0; i < added.Length; i++)
        {
            AddedToken token = added[i];
            if (i > 0 && added[i - 1].Id == token.Id) throw new InvalidDataException($"two added tokens have id {token.Id}");
            if (byId.TryAdd(token.Id, token.Content)) added[i] = token with { InVocabulary = false };
            else if (byId[token.Id] != token.Content)
                throw new InvalidDataException($"added token \"{token.Content}\" has id {token.Id} of \"{byId[token.Id]}\"");
        }
        if (byId.Count == 0) throw new InvalidDataException("the vocabulary is empty");
        int largest = byId.Keys.Max();
        if (largest > MaxId || largest - byId.Count >= MaxHoles)
            throw new InvalidDataException($"the largest id is {largest}, for {byId.Count} tokens; ids may go up to {MaxId}, " +
                $"with at most {MaxHoles} left out");
        var tokens = new string[largest + 1];
        Array.Fill(tokens, "");
        bool[]? holes = byId.Count <= largest ? new bool[largest + 1] : null;
        holes?.AsSpan().Fill(true);
        foreach (var (id, text) in byId)
        {
            tokens[id] = text;
            if (holes is not null) holes[id] = false;
        }
        return new TokenizerModel { Tokens = tokens, Holes = holes, Added = added, Merges = [], Layout = layout };
    }

    /// <summary>Pairs of ids from pairs of texts.</summary>
    public static (int, int)[] IndexMerges(IEnumerable<(string Left, string Right)> pairs, Dictionary<int, string> vocabulary)
    {
        var ids = new Dictionary<string, int>(vocabulary.Count, StringComparer.Ordinal);
        foreach (var (id, text) in vocabulary) ids.TryAdd(text, id);
        var merges = new List<(int, int)>();
        foreach (var (left, right) in pairs)
        {
            merges.Add((IdOf(left), IdOf(right)));

            int IdOf(string part) => ids.TryGetValue(part, out int id) ? id : throw new InvalidDataException(
                $"merge {merges.Count}, \"{left}\" + \"{right}\": \"{part}\" is not in the vocabulary");
        }
        return [.. merges];
    }

    private static bool IsAscending(IEnumerable<int> ids)
    {
        int last = -1;
        foreach (int id in ids)
        {
            if (id <= last) return false;
            last = id;
        }
        return true;
    }

    private static IEnumerable<(string, JsonElement)> Fields(JsonElement parent, params string[] written)
    {
        foreach (JsonProperty field in parent.EnumerateObject())
        {
            bool isKept = !written.Contains(field.Name);
            if (isKept) new JsonPrinter().Value(field.Value); // text that cannot be written back is found now
            yield return (field.Name, isKept ? field.Value.Clone() : default);
        }
    }

    /// <summary>Whether a JSON list says of added tokens what these do.</summary>
    public static bool IsListOf(AddedToken[] added, JsonElement json) => json.ValueKind != JsonValueKind.Undefined
        && ReadAdded(json).OrderBy(token => token.Id).SequenceEqual(added.Select(token => token with { InVocabulary = true }));

    private static IEnumerable<AddedToken> ReadAdded(JsonElement list)
    {
        if (list.IsNull()) yield break;
        if (list.ValueKind != JsonValueKind.Array) throw new InvalidDataException("\"added_tokens\" is not an array");
        foreach (JsonElement item in list.EnumerateArray())
        {
            string content = item.Text("content") is { Length: > 0 } text
                ? text
                : throw new InvalidDataException("an added token has no content");
            bool special = item.Flag("special", absent: false);
            yield return new AddedToken(item.Number("id"), content, special, item.Flag("normalized", absent: !special))
            {
                SingleWord = item.Flag("single_word", absent: false),
                StripsLeft = item.Flag("lstrip", absent: false),
                StripsRight = item.Flag("rstrip", absent: false),
            };
        }
    }

    public static void ReadVocabulary(JsonElement json, Dictionary<int, string> vocabulary)
    {
        if (json.ValueKind != JsonValueKind.Object) throw new InvalidDataException("\"vocab\" is not an object");
        foreach (JsonProperty entry in json.EnumerateObject())
        {
            int id = entry.Value.AsNumber("an id of the vocabulary");
            if (!vocabulary.TryAdd(id, entry.Name))
                throw new InvalidDataException($"id {id} belongs to both \"{vocabulary[id]}\" and \"{entry.Name}\"");
        }
    }

    private static double[] ReadPieces(JsonElement model, Dictionary<int, string> vocabulary)
    {
        var scores = new List<double>();
        foreach (JsonElement item in model.Items("vocab"))
        {
            if (item.ValueKind != JsonValueKind.Array || item.GetArrayLength() != 2 || item[0].ValueKind != JsonValueKind.String
                || item[1].ValueKind != JsonValueKind.Number)
                throw new InvalidDataException($"piece {scores.Count} of the vocabulary is not a text and a score");
            vocabulary.Add(scores.Count, item[0].GetString()!);
            scores.Add(item[1].GetDouble());
        }
        return [.. scores];
    }

    private static (int, int)[] ReadMerges(JsonElement model, Dictionary<int, string> vocabulary)
    {
        return IndexMerges(Pairs(), vocabulary);

        IEnumerable<(string, string)> Pairs()
        {
            int count = 0;
            foreach (JsonElement item in model.Items("merges"))
            {
                if (item.ValueKind == JsonValueKind.String)
                {
                    string line = item.GetString()!;
                    if (line.StartsWith("#version", StringComparison.Ordinal)) continue;
                    yield return SplitMerge(line, count++);
                }
                else if (item.ValueKind == JsonValueKind.Array && item.GetArrayLength() == 2
                    && item[0].ValueKind == JsonValueKind.String && item[1].ValueKind == JsonValueKind.String)
                {
                    count++;
                    yield return (item[0].GetString()!, item[1].GetString()!);
                }
                else throw new InvalidDataException($"merge {count} is not a pair");
            }
        }
    }

    /// <summary>The parts of a merge written as text: one space between them.</summary>
    public static (string Left, string Right) SplitMerge(string line, int number) =>
        line.IndexOf(' ') is > 0 and int space && space < line.Length - 1 && line.IndexOf(' ', space + 1) < 0
            ? (line[..space], line[(space + 1)..])
            : throw new InvalidDataException($"merge {number}, \"{line[..Math.Min(line.Length, 80)]}\", is not a pair");
}
