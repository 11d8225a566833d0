using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Finery.Data.Deduplication;

/// <summary>
/// Sets documents aside for evaluation by a seeded hash of one metadata value, so that all documents that share it (the
/// overloads of a method) go together and the choice depends neither on order nor on what else is in the corpus.
/// </summary>
public sealed record HeldOutSplit
{
    /// <summary>Share of values held out, 0 to 1.</summary>
    public double Fraction { get; init; } = 0.01;

    /// <summary>Metadata key; a document without it is chosen by its id.</summary>
    public string Key { get; init; } = "name";

    /// <summary>Another seed, another choice.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether a document belongs to the held-out part.</summary>
    public bool IsHeldOut(Document document)
    {
        var value = document.Metadata[Key] is JsonValue given && given.GetValueKind() == JsonValueKind.String
            ? given.GetValue<string>() : document.Id;
        // The upper 53 bits are a uniform double in [0, 1).
        return (XxHash64.Hash(Encoding.UTF8.GetBytes(value), Seed) >> 11) * (1.0 / (1L << 53)) < Fraction;
    }
}
