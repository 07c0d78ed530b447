using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>The programs as they are shipped.</summary>
internal static class NativePrograms
{
    /// <summary>Skips the test that calls it when they are what dotnet build makes, which cannot be packaged.</summary>
    public static void OrSkip()
    {
        if (File.Exists($"{Programs.Decantd}.dll")) Assert.Ignore("packages are made of native programs: DECANT_TEST_BIN names their directory");
    }
}
