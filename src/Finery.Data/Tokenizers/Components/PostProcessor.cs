using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>The ids that a post-processor of <c>tokenizer.json</c> puts before and behind a text encoded by itself.</summary>
internal sealed record PostProcessor(int[] Prefix, int[] Suffix)
{
    private static readonly PostProcessor None = new([], []);

    /// <summary>Reads the <c>post_processor</c> of <c>tokenizer.json</c>. ByteLevel changes only offsets that are not kept
    /// here.</summary>
    public static PostProcessor Read(JsonElement json, Vocabulary vocabulary)
    {
        if (json.IsNull()) return None;
        switch (json.Text("type"))
        {
            case "ByteLevel":
                return None;
            case "TemplateProcessing":
                return ReadTemplate(json, vocabulary);
            case "Sequence":
                var all = None;
                foreach (JsonElement item in json.Items("processors"))
                {
                    var one = Read(item, vocabulary);
                    all = new PostProcessor([.. one.Prefix, .. all.Prefix], [.. all.Suffix, .. one.Suffix]);
                }
                return all;
            default:
                throw JsonFields.Unsupported("post_processor", json);
        }
    }

    private static PostProcessor ReadTemplate(JsonElement json, Vocabulary vocabulary)
    {
        List<int> prefix = [], suffix = [];
        bool seen = false;
        foreach (JsonElement piece in json.Items("single"))
        {
            if (piece.Field("Sequence") is { ValueKind: JsonValueKind.Object } sequence)
            {
                if (seen || sequence.Text("id") != "A")
                    throw new NotSupportedException("post_processor TemplateProcessing is supported with one Sequence A in single only");
                seen = true;
                continue;
            }
            string name = piece.Required("SpecialToken").RequiredText("id");
            foreach (JsonElement id in json.Required("special_tokens").Required(name).Items("ids"))
            {
                int number = id.AsNumber($"an id of \"{name}\" in post_processor");
                if (!vocabulary.Has(number))
                    throw new InvalidDataException($"post_processor adds \"{name}\" with id {number}, which has no token");
                (seen ? suffix : prefix).Add(number);
            }
        }
        return seen ? new PostProcessor([.. prefix], [.. suffix])
            : throw new NotSupportedException("post_processor TemplateProcessing without Sequence A in single is not supported");
    }
}
