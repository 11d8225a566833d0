using System.Text;
using Finery.Data.Deduplication;

namespace Finery.Data.Filters;

/// <summary>
/// Keeps a share of the documents. Which ones follows from the seed and their ids alone, not from their order or number, so
/// that any sharding keeps the same ones and a higher rate keeps a superset. Reason <c>sampled_out</c>.
/// </summary>
public sealed record SamplerFilter : DocumentFilter
{
    private readonly double _rate = 0.5;

    /// <summary>Share kept, from 0 to 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside that.</exception>
    public double Rate
    {
        get => _rate;
        init => _rate = value is >= 0 and <= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "A rate is from 0 to 1.");
    }

    /// <summary>Another seed, another choice.</summary>
    public ulong Seed { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document) =>
        document.RejectIf("sampled_out", !(Uniform(Seed, document.Document.Id) < Rate));

    /// <summary>A number from 0 to below 1 that belongs to an id.</summary>
    internal static double Uniform(ulong seed, string id) =>
        (XxHash64.Hash(Encoding.UTF8.GetBytes(id), seed) >> 11) * (1.0 / (1L << 53));
}
