using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>Takes away the packages that tests shared, when the last of them has ended.</summary>
[SetUpFixture]
public class SharedPackages
{
    [OneTimeTearDown]
    public void Remove() => DebianPackages.RemoveShared();
}
