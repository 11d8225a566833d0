using Finery.Data.Tokenizers;
using Finery.Models.Llama;

namespace Finery.Workflow.Steps;

/// <summary>The <see cref="ArtifactKind.Model"/> artifact: a Hugging Face folder with weights and tokenizer.</summary>
internal static class ModelFolder
{
    private const string StageKey = "finery.stage";

    /// <summary>Saves weights, config and tokenizer. Only a finetuned model carries a chat template: a base model cannot chat.</summary>
    public static void Save(LlamaModel model, Tokenizer tokenizer, string folder, string stage)
    {
        var config = tokenizer.Config with
        {
            ModelMaxLength = model.Config.SequenceLength,
            ChatTemplate = stage == "pretrain" ? null : ChatTemplate.Jinja,
        };
        TokenizerFile.Save(tokenizer.WithConfig(config), folder);
        model.Save(folder, new Dictionary<string, string> { ["format"] = "pt", [StageKey] = stage });
    }

    /// <summary>The tokenizer of a model that is about to learn the chat template.</summary>
    public static Tokenizer ChatTokenizer(string folder)
    {
        var tokenizer = TokenizerFile.Load(folder);
        return tokenizer.WithConfig(tokenizer.Config with { ChatTemplate = ChatTemplate.Jinja });
    }
}
