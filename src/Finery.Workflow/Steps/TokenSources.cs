using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;

namespace Finery.Workflow.Steps;

/// <summary>The token shards a step learns from, open, under the names that mixes use.</summary>
internal sealed class TokenSources : IDisposable
{
    private readonly List<TokenShards> _shards = [];

    /// <param name="tokens">Outputs of steps, named by them, or folders.</param>
    /// <param name="tokenizer">Fingerprint the ids must come from.</param>
    public TokenSources(IReadOnlyList<Artifact> tokens, string tokenizer)
    {
        Names = [.. tokens.Select(source => source.Producer ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(source.Path)))];
        try
        {
            foreach (var source in tokens) _shards.Add(TokenShards.Open(source.Path, tokenizer));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public IReadOnlyList<string> Names { get; }

    /// <summary>The mix in which every token counts the same.</summary>
    public IReadOnlyDictionary<string, double> BySize
    {
        get
        {
            var sizes = new Dictionary<string, double>();
            for (int i = 0; i < Names.Count; i++) sizes[Names[i]] = _shards[i].TokenCount;
            return sizes;
        }
    }

    /// <summary>Batches of these sources by stages.</summary>
    /// <exception cref="RecipeException">Stages and sources do not fit.</exception>
    public MixedBatches Mix(IReadOnlyList<DataStage> stages, int rows, int length, ulong seed, RowSettings? packing = null) =>
        RecipeException.Checked(() => new MixedBatches(_shards, DataSchedule.Create(Names, stages, rows, length), seed, packing));

    public void Dispose()
    {
        foreach (var source in _shards) source.Dispose();
    }
}
