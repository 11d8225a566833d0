using Finery.Data.Filters;
using Finery.Data.Readers;
using Xunit;

namespace Finery.Tests.Data.Curation;

public sealed class CurationRunTests : IDisposable
{
    private readonly SmallCuration _small = new();

    public void Dispose() => _small.Dispose();

    [Fact]
    public void Documents_pass_filters_and_stages_that_look_across_them()
    {
        var statistics = _small.Run("out").Statistics!;
        var documents = _small.Documents("out");
        Assert.Equal(600, statistics.Read.Documents);
        Assert.Equal(documents.Count, statistics.Written.Documents);
        Assert.Equal(documents.Count, documents.Select(document => document.Text.Split(' ')[0]).Distinct().Count());
        Assert.All(documents, document => Assert.Equal(document.Text.ToUpperInvariant(), document.Text));
        Assert.All(documents, document => Assert.True((bool)document.Metadata["seen"]!));
        Assert.Equal(["length", "WordFilter", "FirstWordStage", "length"], statistics.Stages.Select(stage => stage.Name));
        long left = statistics.Read.Documents;
        foreach (var stage in statistics.Stages)
        {
            Assert.Equal(left, stage.Kept.Documents + stage.Dropped.Values.Sum(volume => volume.Documents));
            left = stage.Kept.Documents;
        }
        Assert.Equal(statistics.Written.Documents, statistics.Languages.Values.Values.Sum());
        Assert.Equal(9, statistics.Domains.Values.Count);
    }

    [Fact]
    public void Dropped_documents_are_written_with_their_reason()
    {
        var statistics = _small.Run("out").Statistics!;
        var dropped = new JsonLinesReader { Paths = [Path.Combine(_small["out"], "dropped", "**", "*")] }.Read(new()).ToList();
        Assert.Equal(600 - statistics.Written.Documents, dropped.Count);
        Assert.All(dropped, document => Assert.NotNull(document.Metadata["filter_reason"]));
        Assert.Equal(
            statistics.Stages.SelectMany(stage => stage.Dropped.Keys).Distinct().Order(),
            dropped.Select(document => (string)document.Metadata["filter_reason"]!).Distinct().Order());
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    public void Any_number_of_workers_gives_the_same_bytes(int workers)
    {
        _small.Run("one", new() { Workers = 1 });
        _small.Run("many", new() { Workers = workers });
        Assert.Equal(_small.Results("one"), _small.Results("many"));
    }

    [Fact]
    public void Seven_ranks_one_after_another_give_the_same_bytes_as_one()
    {
        _small.Run("one");
        int rounds = 0;
        for (bool finished = false; !finished; rounds++)
        {
            Assert.True(rounds < 10);
            for (int rank = 0; rank < 7; rank++)
                finished = _small.Run("seven", new() { Rank = rank, World = 7, Workers = 1 }).Finished;
        }
        Assert.True(rounds > 1);
        Assert.Equal(_small.Results("one"), _small.Results("seven"));
    }

    [Fact]
    public async Task Ranks_at_once_wait_for_one_another()
    {
        _small.Run("one");
        var results = await Task.WhenAll(Enumerable.Range(0, 3).Select(rank => Task.Factory.StartNew(
            () => _small.Run("three", new() { Rank = rank, World = 3, Workers = 2, Wait = true }),
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        Assert.All(results, result => Assert.True(result.Finished));
        Assert.Equal(_small.Results("one"), _small.Results("three"));
    }

    [Fact]
    public async Task Two_processes_with_the_same_rank_do_not_disturb_each_other()
    {
        _small.Run("one");
        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Factory.StartNew(
            () => _small.Run("both", new() { Workers = 2, Wait = true }),
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        Assert.Equal(_small.Results("one"), _small.Results("both"));
    }

    [Fact]
    public void Stopped_anywhere_and_run_again_it_ends_with_the_same_bytes_and_statistics()
    {
        _small.Run("whole");
        var random = new Random(3);
        int stops = 0;
        for (bool finished = false; !finished;)
        {
            Assert.True(stops < 400, "no progress");
            using var stop = new CancellationTokenSource();
            int after = random.Next(250);
            // The filter asks for the stop itself: at a document, not at a time.
            var stages = _small.Settings.Stages.Prepend(new CountdownFilter { Countdown = new(after, stop) }).ToList();
            try
            {
                finished = _small.Run("stopped", new() { Workers = 1, Stop = stop.Token },
                    _small.Settings with { Stages = stages }).Finished;
            }
            catch (OperationCanceledException)
            {
                stops++;
            }
        }
        Assert.True(stops > 1);
        _small.Run("counted", settings: _small.Settings with { Stages = [new CountdownFilter(), .. _small.Settings.Stages] });
        Assert.Equal(_small.Results("counted"), _small.Results("stopped"));
        Assert.Equal(_small.Documents("whole").Select(document => document.Id),
            _small.Documents("stopped").Select(document => document.Id));
    }

    [Theory]
    [InlineData("documents/00002.jsonl")]
    [InlineData("dropped/00/00001.jsonl.zst")]
    [InlineData("stages/00/kept/00003.jsonl.zst")]
    [InlineData("stages/00/parts/00000.json")]
    public void What_was_deleted_or_cut_short_is_made_again(string file)
    {
        _small.Run("out");
        var results = _small.Results("out");
        string path = Path.Combine(_small["out"], file);
        using (var stream = File.OpenWrite(path)) stream.SetLength(stream.Length / 2);
        _small.Run("out");
        Assert.Equal(results, _small.Results("out"));
        File.Delete(path);
        _small.Run("out");
        Assert.Equal(results, _small.Results("out"));
    }

    [Fact]
    public void A_finished_curation_does_nothing_when_it_is_run_again()
    {
        _small.Run("out");
        var log = new List<string>();
        Assert.True(_small.Run("out", new() { Log = log.Add }).Finished);
        Assert.Empty(log);
    }

    [Fact]
    public void The_folder_of_another_curation_is_refused_and_says_what_differs()
    {
        _small.Run("out");
        File.AppendAllText(_small["in-3.jsonl"], "{\"text\": \"w1 one more document\"}\n");
        var refused = Assert.Throws<InvalidOperationException>(() => _small.Run("out"));
        Assert.Contains("in-3.jsonl", refused.Message + _small["in-3.jsonl"]);
        Assert.Contains("bytes is", refused.Message);
    }

    [Fact]
    public void Nothing_read_and_nothing_kept_are_errors()
    {
        File.WriteAllText(_small["empty.jsonl"], "not json\n");
        var nothing = _small.Settings with { Input = new JsonLinesReader { Paths = [_small["empty.jsonl"]] } };
        Assert.Contains("bad_json 1", Assert.Throws<InvalidDataException>(() => _small.Run("empty", settings: nothing)).Message);
        var dropped = _small.Settings with { Stages = [new LengthFilter { MinCharacters = 10_000 }] };
        Assert.Contains("too_short 600",
            Assert.Throws<InvalidDataException>(() => _small.Run("dropped", settings: dropped)).Message);
        var missing = _small.Settings with { Input = new JsonLinesReader { Paths = [_small["missing.jsonl"]] } };
        Assert.Throws<FileNotFoundException>(() => _small.Run("missing", settings: missing));
    }

    [Fact]
    public void A_limit_is_a_limit_of_each_part()
    {
        Assert.Equal(5 * 7, _small.Run("out", settings: _small.Settings with { Limit = 7 }).Statistics!.Read.Documents);
    }

    [Fact]
    public void An_error_in_one_part_is_reported_and_the_others_are_not_lost()
    {
        var failing = _small.Settings with { Stages = [new FailingFilter()] };
        Assert.Throws<FormatException>(() => _small.Run("out", new() { Workers = 1 }, failing));
        Assert.True(File.Exists(Path.Combine(_small["out"], "stages", "00", "parts", "00000.json")));
    }

    private sealed record CountdownFilter : DocumentFilter
    {
        public Countdown? Countdown { get; init; }

        public override void Apply(WorkingDocument document) => Countdown?.Count();
    }

    private sealed class Countdown(int left, CancellationTokenSource stop)
    {
        public void Count()
        {
            if (Interlocked.Decrement(ref left) == 0) stop.Cancel();
        }
    }

    private sealed record FailingFilter : DocumentFilter
    {
        public override void Apply(WorkingDocument document)
        {
            if (document.Document.Id == "2-50") throw new FormatException();
        }
    }
}
