using Finery.Data.Batches;
using Finery.Data.Batches.Mixing;
using Xunit;

namespace Finery.Tests.Data.Batches.Mixing;

public class RowPackingTests
{
    private const int Length = 32;
    private static readonly int[] Documents = [.. SyntheticShards.Documents(3000, 60, seed: 4)];

    private static DataSchedule Schedule(int rows = 4) => DataSchedule.Uniform(["all"], rows, Length, 1000);

    /// <summary>Documents by their first token, with the ends.</summary>
    private static (int Start, int End)[] Bounds()
    {
        int at = 0;
        return [.. Documents.Select(length => (at, at += length))];
    }

    [Fact]
    public void Without_a_mask_a_row_is_one_segment_and_learns_the_same()
    {
        using var shards = new SyntheticShards(Documents, documentsPerFile: 7);
        IBatchSource masked = new MixedBatches([shards.Shards], Schedule(), 1).Phase(0),
            open = new MixedBatches([shards.Shards], Schedule(), 1, new() { CrossDocument = true }).Phase(0);
        for (int step = 0; step < 40; step++)
        {
            PackedBatch expected = BatchAssert.Filled(masked, step), actual = BatchAssert.Filled(open, step);
            Assert.Equal(expected.Ids, actual.Ids);
            Assert.Equal(expected.Targets, actual.Targets);
            Assert.Equal(expected.Weights, actual.Weights);
            for (int i = 0; i < actual.Count; i++) Assert.Equal((i / Length * Length, i % Length), (actual.Starts[i], actual.Positions[i]));
        }
    }

    /// <summary>The data side of acceptance case 10: what a token sees and predicts depends on its own document alone.</summary>
    [Theory]
    [InlineData(RowPacking.Windows)]
    [InlineData(RowPacking.BestFit)]
    public void A_segment_is_a_part_of_one_document_and_its_last_token_predicts_nothing(RowPacking packing)
    {
        using var shards = new SyntheticShards(Documents, firstId: 1, documentsPerFile: 11);
        IBatchSource source = new MixedBatches([shards.Shards], Schedule(), 1, new() { Packing = packing }).Phase(0);
        var bounds = Bounds();
        for (int step = 0; step < 60; step++)
        {
            PackedBatch batch = BatchAssert.Filled(source, step);
            for (int i = 0; i < batch.Count; i++)
            {
                if (batch.Ids[i] == 0) continue; // padding
                int token = batch.Ids[i] - 1;
                var (start, end) = bounds.First(document => token < document.End);
                Assert.Equal(token + 1 == end ? -1 : batch.Ids[i] + 1, batch.Targets[i]);
                int segmentStart = batch.Ids[batch.Starts[i]] - 1;
                Assert.InRange(segmentStart, start, token);
                Assert.Equal(token - segmentStart, batch.Positions[i]);
                Assert.True(
                    segmentStart == start || packing == RowPacking.BestFit || batch.Starts[i] % Length == 0,
                    "only a row's start cuts a document");
            }
        }
    }

    [Fact]
    public void Best_fit_keeps_documents_whole_and_sees_each_token_once_in_an_epoch()
    {
        using var shards = new SyntheticShards(Documents, firstId: 1, documentsPerFile: 50);
        var mix = new MixedBatches([shards.Shards], Schedule(rows: 1), 1, new() { Packing = RowPacking.BestFit });
        PackingReport report = PackingReport.Of(Documents.Select(length => (long)length), Length, RowPacking.BestFit);
        var bounds = Bounds();
        var orders = new List<int[]>();
        for (int epoch = 0; epoch < 2; epoch++)
        {
            var seen = new int[3001];
            int padding = 0;
            var firsts = new List<int>();
            for (long row = 0; row < report.Rows; row++)
            {
                PackedBatch batch = BatchAssert.Filled(mix.Phase(0), (epoch * report.Rows) + row);
                firsts.Add(batch.Ids[0]);
                foreach (int id in batch.Ids)
                {
                    if (id == 0) padding++;
                    else seen[id]++;
                }
                foreach (var (start, end) in bounds.Where(document => document.End - document.Start <= Length))
                    Assert.Equal(batch.Ids.Contains(start + 1), batch.Ids.Contains(end));
            }
            Assert.All(seen[1..], count => Assert.Equal(1, count));
            Assert.Equal(report.Utilisation, 1 - (padding / (double)(report.Rows * Length)), 12);
            orders.Add([.. firsts]);
        }
        Assert.NotEqual(orders[0], orders[1]);
        Assert.Equal(orders[0].Order(), orders[1].Order());
    }

    [Fact]
    public void Best_fit_begins_an_epoch_anew_where_the_length_changes()
    {
        using var shards = new SyntheticShards(Documents, firstId: 1);
        var schedule = DataSchedule.Create(["all"],
        [
            new() { Name = "short", Steps = 20 }, new() { Name = "more", Steps = 10, Data = new() { Rows = 2 } },
            new() { Name = "long", Steps = 500, Data = new() { SequenceLength = 64 } },
        ], 1, Length);
        var mix = new MixedBatches([shards.Shards], schedule, 1, new() { Packing = RowPacking.BestFit });
        int[] Ids(int from, int to) => [.. Enumerable.Range(from, to - from)
            .SelectMany(step => BatchAssert.Filled(mix.Phase(schedule.PhaseAt(step)), step).Ids.Where(id => id > 0))];
        int[] first = Ids(0, 30);
        Assert.Equal(first.Length, first.Distinct().Count());
        long rows = PackingReport.Of(Documents.Select(length => (long)length), 64, RowPacking.BestFit).Rows;
        Assert.Equal(3000, Ids(30, 30 + (int)(rows / 2)).Concat(Ids(30 + (int)(rows / 2), 30 + (int)((rows + 1) / 2))).Distinct().Count());
        var epochs = new double[1];
        mix.EpochsBefore(30 + (rows / 2), epochs);
        double before = 40.0 / PackingReport.Of(Documents.Select(length => (long)length), Length, RowPacking.BestFit).Rows;
        Assert.Equal(before + (rows / 2 * 2.0 / rows), epochs[0], 12);
    }

    [Fact]
    public void Reports_compare_packing_with_windows()
    {
        long[] documents = [5, 3, 9, 2, 1]; // 20 tokens
        // Windows of 6: 5+1 | 2+4 | 5+1 | 1+1 and 2 dropped.
        Assert.Equal(new(3, 1, (2 + 5 + 1) / 20.0, 3, 2), PackingReport.Of(documents, 6, RowPacking.Windows));
        // Pieces 5, 3, 6+3, 2, 1: rows 6 | 5+1 | 3+3 | 2.
        Assert.Equal(new(4, 20 / 24.0, 3 / 20.0, 1, 0), PackingReport.Of(documents, 6, RowPacking.BestFit));
        Assert.Equal(new(0, 0, 0, 0, 0), PackingReport.Of([], 6, RowPacking.Windows));
        PackingReport best = PackingReport.Of(Lengths(), 2048, RowPacking.BestFit);
        PackingReport windows = PackingReport.Of(Lengths(), 2048, RowPacking.Windows);
        Assert.True(best.Utilisation > .99, $"{best}");
        Assert.True(best.CutOffShare < windows.CutOffShare, $"{best} {windows}");

        // Log-normal like web text: median about 400 tokens, a long tail.
        static IEnumerable<long> Lengths()
        {
            var random = new Random(1);
            for (int i = 0; i < 5000; i++)
            {
                double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
                yield return 1 + (long)Math.Exp(6 + (1.1 * normal));
            }
        }
    }

    [Fact]
    public void A_summary_survives_JSON_and_adds_up()
    {
        using var web = new SyntheticShards(Documents);
        using var code = new SyntheticShards([400, 400]);
        var schedule = DataSchedule.Create(["web", "code"],
        [
            new()
            {
                Name = "stable", Steps = 20,
                Data = new() { Mix = new Dictionary<string, double> { ["web"] = 1 }, Ramp = [new() { AfterTokens = 64, Rows = 3 }] },
            },
            new()
            {
                Name = "decay", Tokens = 500,
                Data = new() { Mix = new Dictionary<string, double> { ["web"] = 1, ["code"] = 1 }, SequenceLength = 16 },
            },
        ], 1, Length);
        MixSummary summary = new MixedBatches([web.Shards, code.Shards], schedule, 1).Summarize();
        Assert.Equal([(64L, 1), (18 * 96, 1), (528, 2)], summary.Phases.Select(phase => (phase.Tokens, phase.Mix.Count)));
        Assert.All(summary.Phases, phase => Assert.Equal(phase.Tokens, phase.TokensBySource.Values.Sum()));
        Assert.Equal(summary.Tokens, summary.Phases.Sum(phase => phase.Tokens));
        for (int k = 0; k < 2; k++)
        {
            SourceSummary source = summary.Sources[k];
            Assert.Equal(summary.Phases.Sum(phase => phase.TokensBySource.GetValueOrDefault(source.Name)), source.Epochs * source.Tokens, 6);
        }
        Assert.Equal((2, 400.0, 4.0), (summary.Sources[1].Documents, summary.Sources[1].TokensPerDocument, summary.Sources[1].BytesPerToken));
        string json = summary.ToJson();
        Assert.Contains("\"tokens_by_source\"", json);
        Assert.Equal(json, MixSummary.Parse(json, "mix.json").ToJson());
        foreach (string wrong in new[] { "[]", "null", "{}" })
            Assert.Contains("mix.json", Assert.Throws<InvalidDataException>(() => MixSummary.Parse(wrong, "mix.json")).Message);
    }
}
