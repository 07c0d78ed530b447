namespace Decant.EndToEnd.Harness;

/// <summary>
/// Where the programs under test are. <c>DECANT_TEST_BIN</c> names a directory with other builds of them (the native ones); otherwise the
/// build outputs of this checkout.
/// </summary>
internal static class Programs
{
    /// <summary>The checkout: the directory with Agents.sln.</summary>
    public static string Repository { get; } = FindRepository();

    public static string Decantd => Find("decantd", "agent");

    public static string Decant => Find("decant", "controller");

    private static string Find(string name, string project)
    {
        var directory = Environment.GetEnvironmentVariable("DECANT_TEST_BIN")
            ?? Path.Combine(Repository, project, "bin", Configuration, "net10.0");
        var path = Path.Combine(directory, name);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{name} is not built: {path} is missing");
    }

    private static string Configuration => AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";

    private static string FindRepository()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Agents.sln"))) return directory.FullName;
        }

        throw new DirectoryNotFoundException("the tests must run inside a checkout");
    }
}
