namespace Finery.Workflow.Recipes;

/// <summary>Reads recipes.</summary>
public static class RecipeFile
{
    /// <summary>Reads a recipe file. Nothing is run or written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="runFolder">Folder the run will have: outputs of steps get their paths below it.</param>
    /// <param name="overrides"><c>step.key=value</c>, applied before anything is checked.</param>
    public static RecipeResult Load(string path, string runFolder, IEnumerable<string> overrides) => throw new NotImplementedException();

    /// <summary>As <see cref="Load"/>, from a string.</summary>
    public static RecipeResult Parse(string yaml, string fileName, string runFolder, IEnumerable<string> overrides) =>
        throw new NotImplementedException();

    /// <summary>A recipe of one step, for the verb of the same name.</summary>
    /// <param name="type">Name in the step catalogue; also names the step and the recipe.</param>
    /// <param name="seed">Seed of the recipe.</param>
    /// <param name="runFolder">Folder the run will have.</param>
    /// <param name="settings"><c>key=value</c> with the value as a recipe would write it; errors name them.</param>
    public static RecipeResult ForStep(string type, ulong seed, string runFolder, IEnumerable<string> settings) =>
        throw new NotImplementedException();

    /// <summary>Text of a recipe that comes with Finery, such as <c>quickstart.yaml</c>.</summary>
    /// <exception cref="FileNotFoundException">There is none of that name; the message lists the names.</exception>
    public static string Bundled(string name) => throw new NotImplementedException();
}
