using System.Text.Json.Nodes;
using Finery.Data;
using Finery.Data.Classifiers;
using Finery.Data.Filters;
using Finery.Tests.Data.Readers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Classifiers;

public class LanguageFilterTests
{
    private const string English =
        "The quick brown fox jumps over the lazy dog, and everyone who saw it was asked to tell what happened.";
    private const string German =
        "Diese Seite zeigt die neuesten Dateien an und löscht alle anderen, wenn der Benutzer es wünscht.";

    [Fact]
    public void English_is_kept_and_German_dropped_when_English_is_asked_for()
    {
        var filter = new LanguageFilter { Languages = ["en"] };
        Assert.Null(filter.Reject(new Document("1", English)));
        Assert.Equal("language", filter.Reject(new Document("2", German)));
        Assert.Null((filter with { Languages = ["deu_Latn", "en"] }).Reject(new Document("2", German)));
        Assert.Null((filter with { Languages = [] }).Reject(new Document("2", German)));
        Assert.Equal("language", filter.Reject(new Document("3", "")));
    }

    [Fact]
    public void Metadata_name_the_language_and_its_score()
    {
        var work = new WorkingDocument(new Document("1", English));
        new LanguageFilter { LabelOnly = true, KeepTopLanguagesAbove = 0.5 }.Apply(work);
        Assert.Null(work.Reason);
        Assert.Equal("en", work.GetMetadata("language"));
        float score = work.Document.Metadata["language_score"]!.GetValue<float>();
        Assert.InRange(score, 0.65f, 1.0001f);
        Assert.Equal(score, work.Document.Metadata["top_language_en_score"]!.GetValue<float>());
        Assert.Null(work.Document.Metadata["language_script"]);
        JsonNode.Parse(work.Document.Metadata.ToJsonString());
    }

    [Fact]
    public void A_score_equal_to_the_threshold_is_dropped()
    {
        var work = new WorkingDocument(new Document("1", English));
        new LanguageFilter { LabelOnly = true }.Apply(work);
        double score = work.Document.Metadata["language_score"]!.GetValue<float>();
        Assert.Equal("language", new LanguageFilter { LanguageThreshold = score }.Reject(new Document("1", English)));
        Assert.Null(new LanguageFilter { LanguageThreshold = Math.BitDecrement(score) }.Reject(new Document("1", English)));
    }

    [Fact]
    public void Scripts_that_the_model_never_saw_leave_it_unsure()
    {
        string[] texts =
        [
            "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
            "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։",
            "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
            "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
            "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો જન્મથી સ્વતંત્ર અને સમાન હોય છે.",
        ];
        foreach (string text in (string[])[.. texts, "", " \n"])
            Assert.Equal("language", new LanguageFilter { LanguageThreshold = 0.3 }.Reject(new Document("1", text)));
    }

    [Fact]
    public void Labels_of_other_models_are_understood()
    {
        using var folder = new TemporaryFolder();
        var trainer = new FastTextTrainer(new() { Dimension = 8, Epochs = 20, LearningRate = 1 });
        for (int i = 0; i < 50; i++)
        {
            trainer.Add("eng_Latn", "the dog and the cat");
            trainer.Add("cmn_Hans", "狗 和 猫");
            trainer.Add("pt_BR", "o cachorro e o gato");
        }
        trainer.Train().Save(folder["glot.bin"]);
        var filter = new LanguageFilter { Model = folder["glot.bin"], Languages = ["en"] };
        var work = new WorkingDocument(new Document("1", "the dog and\nthe cat"));
        filter.Apply(work);
        Assert.Null(work.Reason);
        Assert.Equal(("eng", "Latn"), (work.GetMetadata("language"), work.GetMetadata("language_script")));
        Assert.Null((filter with { Languages = ["zh"] }).Reject(new Document("2", "狗 和 猫")));
        Assert.Equal("language", (filter with { Languages = ["zho_Hant"] }).Reject(new Document("2", "狗 和 猫")));
        Assert.Null((filter with { Languages = ["por"] }).Reject(new Document("2", "o cachorro e o gato")));
        Assert.Empty(filter.Validate());
        Assert.Contains((filter with { Languages = ["fr"] }).Validate(), error => error.Message.Contains("'fr'"));
        Assert.NotEmpty(new LanguageFilter { Model = folder["absent.bin"] }.Validate());
    }

    [Theory]
    [InlineData("__label__en", "eng_Latn", true)]
    [InlineData("__label__eng_Latn", "en", true)]
    [InlineData("nob_Latn", "no", true)]
    [InlineData("arb_Arab", "ar", true)]
    [InlineData("pt_BR", "pt", true)]
    [InlineData("pt_BR", "pt_PT", false)]
    [InlineData("zho_Hans", "cmn_Hant", false)]
    [InlineData("en", "de", false)]
    [InlineData("xyz", "xyz", true)]
    public void Codes_of_one_language_match(string label, string wanted, bool match) =>
        Assert.Equal(match, LanguageLabel.Parse(label).Matches(LanguageLabel.Parse(wanted)));

    [Fact]
    public void Nine_hundred_eighty_of_a_thousand_unseen_texts_are_named_rightly()
    {
        string path = SharedData.Path("languages", "tldr.jsonl.gz");
        var report = LanguageModelRecipe.Test(LoadedModels.Language, [path]);
        Assert.Equal(38, report.Languages.Count);
        Assert.True(report.HeldOutCount > 1500);
        Assert.True(report.Precision > 0.98, $"P@1 is {report.Precision}");
    }

    [Fact]
    public void The_recipe_is_reproducible_and_keeps_translations_of_a_page_together()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["texts.jsonl"], MadeUpLanguages.Texts(600).Select((text, i) => new JsonObject
        {
            ["id"] = $"pages.{text.Label}/page{i / 4}", ["text"] = text.Text,
                ["metadata"] = new JsonObject { ["language"] = text.Label },
        }.ToJsonString()));
        LanguageModelReport Build(string name) => LanguageModelRecipe.Build(
            [folder["texts.jsonl"]], [], folder[name], LanguageModelRecipe.Training with { Bucket = 1000, Epochs = 10 }, default);
        var report = Build("a.ftz");
        Build("b.ftz");
        Assert.Equal(File.ReadAllBytes(folder["a.ftz"]), File.ReadAllBytes(folder["b.ftz"]));
        Assert.True(report.Precision > 0.95);
        Assert.Equal(600, report.TrainingCount + report.HeldOutCount);
        // Four texts a page, each page on one side.
        Assert.Equal(0, report.HeldOutCount % 4);
        Assert.Equal(new FileInfo(folder["a.ftz"]).Length, report.Bytes);
    }
}
